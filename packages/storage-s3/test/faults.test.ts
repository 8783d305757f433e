import { type BlobStore, discardBody, getBytes, isStorageError, readResumable } from '@sqlstream/storage'
import { FakeS3, type HttpFault } from '@sqlstream/testkit/servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { S3Store, type S3StoreOptions } from '../src/index.ts'
import { localOptions } from './conformance-options.ts'

const PART = 1000
const LIMIT_MS = 300
const absent = { precondition: { kind: 'absent' } } as const

let fake: FakeS3
const opened: S3Store[] = []

beforeEach(async () => {
  fake = await FakeS3.start({ minPartBytes: PART })
})
afterEach(async () => {
  fake.plan()
  for (const store of opened.splice(0)) await store[Symbol.asyncDispose]()
  await fake[Symbol.asyncDispose]()
})

async function open(more: Partial<S3StoreOptions> = {}): Promise<S3Store> {
  const store = await S3Store.open(
    localOptions(fake.url, {
      partSize: PART,
      timeoutMs: LIMIT_MS,
      conditionalComplete: true,
      retry: { pause: async () => {} },
      ...more,
    }),
  )
  opened.push(store)
  return store
}

function bytes(size: number, seed = 1): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 7 + seed) % 251)
}

function streamed(content: Uint8Array) {
  return {
    open: async function* () {
      for (let at = 0; at < content.length; at += 300) yield content.subarray(at, at + 300)
    },
  }
}

function stored(key: string): Uint8Array | undefined {
  const object = fake.bucket('bucket').objects.get(key)
  return object === undefined ? undefined : new Uint8Array(object.bytes)
}

const FAULTS: readonly HttpFault[] = [
  { kind: 'drop' },
  { kind: 'drop-answer' },
  { kind: 'refuse', status: 500, code: 'InternalError' },
  { kind: 'refuse', status: 503, code: 'SlowDown' },
  { kind: 'refuse', status: 429, code: 'TooManyRequests' },
  { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' },
  { kind: 'refuse-after', status: 500, code: 'UnknownError' },
  { kind: 'cut', after: 0 },
  { kind: 'cut', after: 20 },
  { kind: 'hang' },
  { kind: 'hang-answer' },
  { kind: 'hang-body', after: 0 },
  { kind: 'slow', bytes: 7, everyMs: 1 },
  { kind: 'twice' },
]

/** Puts of every way that there is, and the operations that each of them sends. */
const PUTS: readonly {
  readonly name: string
  readonly run: (store: BlobStore, content: Uint8Array) => Promise<unknown>
  readonly size: number
  readonly options?: Partial<S3StoreOptions>
  readonly requests: number
}[] = [
  { name: 'small', run: (store, content) => store.put('a', content), size: 100, requests: 1 },
  { name: 'small, absent', run: (store, content) => store.put('a', content, absent), size: 100, requests: 1 },
  { name: 'in parts', run: (store, content) => store.put('a', streamed(content)), size: 2500, requests: 5 },
  {
    name: 'in parts, absent',
    run: (store, content) => store.put('a', streamed(content), absent),
    size: 2500,
    requests: 6,
  },
  {
    name: 'in one stream, absent',
    run: (store, content) => store.put('a', streamed(content), absent),
    size: 2500,
    options: { conditionalComplete: false },
    requests: 2,
  },
]

describe.each(PUTS)('a put, $name', ({ run, size, options, requests }) => {
  test.each(FAULTS)('survives %j at each of its requests', async (fault) => {
    for (let at = 1; at <= requests; at++) {
      fake.bucket('bucket').objects.clear()
      const store = await open(options)
      const content = bytes(size, at)
      const plan = fake.plan([{ at, fault }])
      await run(store, content)
      expect(plan.fired).toBe(1)
      expect(stored('a')).toEqual(content)
      await store[Symbol.asyncDispose]()
      // An upload whose beginning was not answered has no name by which it could be taken back.
      const isNameless = fault.kind !== 'refuse' && fault.kind !== 'drop' && fault.kind !== 'slow'
      expect(fake.bucket('bucket').uploads.size).toBeLessThanOrEqual(isNameless ? 1 : 0)
      fake.bucket('bucket').uploads.clear()
    }
  })

  test('fails when every request does, within the limit of each, and leaves nothing', async () => {
    const store = await open({ ...options, retry: { attempts: 2, pause: async () => {} } })
    for (const fault of [
      { kind: 'drop' },
      { kind: 'refuse', status: 503, code: 'SlowDown' },
      { kind: 'hang' },
    ] as const) {
      fake.plan([{ fault }])
      const started = performance.now()
      const error: unknown = await run(store, bytes(size)).catch((caught: unknown) => caught)
      expect(isStorageError(error) && error.transient).toBe(true)
      expect(performance.now() - started).toBeLessThan(20 * LIMIT_MS)
      fake.plan()
      expect(stored('a')).toBeUndefined()
    }
    await run(store, bytes(size))
    expect(stored('a')).toEqual(bytes(size))
  })
})

describe.each(PUTS.filter(({ name }) => name.includes('absent')))(
  'a put, $name, beside another writer',
  (each) => {
    test.each(FAULTS)('is never told that it won when it did not: %j', async (fault) => {
      for (let at = 1; at <= each.requests; at++) {
        fake.bucket('bucket').objects.clear()
        const [one, two] = [await open(each.options), await open(each.options)]
        fake.plan([{ at, fault }])
        // The very same bytes: only an id can tell whose object it is.
        const content = bytes(each.size)
        const outcomes = await Promise.allSettled([each.run(one, content), each.run(two, content)])
        const won = outcomes.filter(({ status }) => status === 'fulfilled')
        expect(won).toHaveLength(1)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected')
            expect(outcome.reason).toMatchObject({ code: 'precondition-failed' })
        }
        expect(stored('a')).toEqual(content)
      }
    })
  },
)

describe('an upload that fails for good', () => {
  test.each(['UploadPart', 'CompleteMultipartUpload'])('at %s is taken back', async (request) => {
    const store = await open()
    await store.put('a', bytes(10))
    fake.plan([{ request, at: [1, 99], fault: { kind: 'refuse', status: 403, code: 'AccessDenied' } }])
    await expect(store.put('a', bytes(3500))).rejects.toMatchObject({ code: 'permission-denied' })
    expect(fake.bucket('bucket').uploads.size).toBe(0)
    expect(stored('a')).toEqual(bytes(10))
  })

  test('because of its body is taken back', async () => {
    const store = await open()
    const failure = new Error('the disk')
    const body = {
      open: async function* () {
        yield bytes(2500)
        throw failure
      },
    }
    await expect(store.put('a', body)).rejects.toBe(failure)
    expect(fake.bucket('bucket').uploads.size).toBe(0)
  })

  test('because of an abort is taken back before the store is closed', async () => {
    const store = await open()
    const aborter = new AbortController()
    const body = {
      open: async function* () {
        yield bytes(2500)
        aborter.abort(new Error('enough'))
        await new Promise(() => {})
      },
    }
    await expect(store.put('a', body, { signal: aborter.signal })).rejects.toThrow('enough')
    await store[Symbol.asyncDispose]()
    expect(fake.traffic('AbortMultipartUpload').requests).toBe(1)
    expect(fake.bucket('bucket').uploads.size).toBe(0)
  })

  test('because somebody removed it is told as something that passes', async () => {
    const store = await open()
    fake.plan([
      { request: 'CompleteMultipartUpload', fault: { kind: 'refuse', status: 404, code: 'NoSuchUpload' } },
    ])
    await expect(store.put('a', bytes(3500))).rejects.toMatchObject({ code: 'unavailable', transient: true })
  })
})

describe('a get', () => {
  const content = bytes(200_000)

  test.each<[HttpFault, 'fails' | 'succeeds']>([
    [{ kind: 'drop' }, 'succeeds'],
    [{ kind: 'refuse', status: 503, code: 'SlowDown' }, 'succeeds'],
    [{ kind: 'hang' }, 'succeeds'],
    [{ kind: 'slow', bytes: 50_000, everyMs: 20 }, 'succeeds'],
    [{ kind: 'cut', after: 100_000 }, 'fails'],
    [{ kind: 'short', after: 100_000 }, 'succeeds'],
    [{ kind: 'hang-body', after: 100_000 }, 'fails'],
  ])('with %j %s by itself, and goes on when it is read so', async (fault, outcome) => {
    const store = await open()
    fake.bucket('bucket').objects.set('a', {
      bytes: Buffer.from(content),
      etag: '"e"',
      modified: new Date(0),
      headers: {},
    })
    fake.plan([{ request: 'GetObject', at: 1, fault }])
    const reading = readPlainly(store)
    if (outcome === 'succeeds') await reading
    else await expect(reading).rejects.toMatchObject({ transient: true, operation: 'get', key: 'a' })
    if (fault.kind === 'short') return
    const plan = fake.plan([{ request: 'GetObject', at: 1, fault }])
    expect(await getBytes(store, 'a')).toEqual(content)
    expect(plan.fired).toBe(1)
  })

  test('of a range that comes short is found out', async () => {
    const store = await open()
    await store.put('a', bytes(900))
    fake.plan([{ request: 'GetObject', at: 1, fault: { kind: 'short', after: 100 } }])
    const failing = store.get('a', { range: { offset: 100, length: 300 } })
    await expect(failing).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('holds no socket after a failure: with one at a time, others go on', async () => {
    const store = await open({ parallelism: 1 })
    await store.put('a', bytes(900))
    fake.plan([{ request: 'GetObject', at: [1, 4], fault: { kind: 'hang-body', after: 10 } }])
    for (let i = 0; i < 4; i++) await expect(readPlainly(store)).rejects.toMatchObject({ code: 'timeout' })
    for (let i = 0; i < 4; i++) await discardBody((await store.get('a')).body)
    expect(await getBytes(store, 'a')).toEqual(bytes(900))
  })

  async function readPlainly(store: BlobStore): Promise<void> {
    for await (const _ of (await store.get('a')).body);
  }

  test('goes on where it was cut, and never with another version', async () => {
    const store = await open()
    await store.put('a', bytes(900))
    fake.plan([{ request: 'GetObject', at: 1, fault: { kind: 'cut', after: 100 } }])
    const { body } = await readResumable(store, 'a')
    await store.put('a', bytes(900, 2))
    const reading = (async () => {
      for await (const _ of body);
    })()
    await expect(reading).rejects.toMatchObject({ code: 'precondition-failed' })
  })
})

describe('listings and deletes', () => {
  test.each(FAULTS)('survive %j at each request', async (fault) => {
    const store = await open()
    const object = { bytes: Buffer.from('x'), etag: '"e"', modified: new Date(0), headers: {} }
    const keys = Array.from({ length: 1200 }, (_, i) => `k${String(i).padStart(4, '0')}`)
    for (const at of [1, 2]) {
      for (const key of keys) fake.bucket('bucket').objects.set(key, object)
      // The order of keys is remembered.
      fake.bucket('bucket').put('z', object)
      fake.bucket('bucket').delete('z')
      const plan = fake.plan([
        { request: 'ListObjectsV2', at, fault },
        { request: 'DeleteObjects', at, fault },
      ])
      const seen: string[] = []
      for await (const { key } of store.list()) seen.push(key)
      expect(seen).toEqual(keys)
      await store.delete(keys)
      expect(fake.bucket('bucket').objects.size).toBe(0)
      expect(plan.fired).toBe(2)
    }
  })

  test('a stale listing is the service’s, and is handed on', async () => {
    const store = await open()
    await store.put('a', bytes(1))
    fake.plan([{ request: 'ListObjectsV2', fault: { kind: 'stale' } }])
    for await (const { key } of store.list()) throw new Error(`sees ${key}`)
  })
})

describe('a server that hangs', () => {
  test('ends every call within its limit', async () => {
    const store = await open({ retry: { attempts: 1 } })
    fake.plan([{ fault: { kind: 'hang' } }])
    const calls: (() => Promise<unknown>)[] = [
      () => store.list().next(),
      () => store.head('a'),
      () => store.get('a'),
      () => store.put('b', bytes(10)),
      () => store.put('b', bytes(10), absent),
      () => store.delete(['a']),
      () => store.delete(['a', 'b']),
    ]
    for (const call of calls) {
      const started = performance.now()
      await expect(call()).rejects.toMatchObject({ code: 'timeout', transient: true })
      expect(performance.now() - started).toBeLessThan(10 * LIMIT_MS)
    }
  })

  test('is left at once when the caller wants that', async () => {
    const store = await open({ timeoutMs: 60_000 })
    fake.plan([{ fault: { kind: 'hang' } }])
    const reason = new Error('enough')
    for (const call of [
      (signal: AbortSignal) => store.head('a', { signal }),
      (signal: AbortSignal) => store.put('a', bytes(10), { signal }),
      (signal: AbortSignal) => store.put('a', bytes(3500), { signal }),
      (signal: AbortSignal) => store.list({ signal }).next(),
    ]) {
      const aborter = new AbortController()
      const calling = call(aborter.signal)
      setImmediate(() => aborter.abort(reason))
      await expect(calling).rejects.toBe(reason)
    }
  })

  test('keeps no more waiting than may be on their way', async () => {
    const store = await open({ parallelism: 3, retry: { attempts: 1 } })
    fake.plan([{ fault: { kind: 'hang' } }])
    const calls = Array.from({ length: 7 }, () => store.head('a').catch(() => undefined))
    await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 2))
    expect(fake.traffic().requests).toBeLessThanOrEqual(3)
    await Promise.all(calls)
    expect(fake.traffic().requests).toBe(7)
  })
})

test('a stream that a server does not take is ended, a slow body is waited for', async () => {
  const store = await open({ conditionalComplete: false, retry: { attempts: 1 } })
  fake.plan([{ request: 'PutObject', fault: { kind: 'hang' } }])
  await expect(store.put('a', bytes(20_000_000), absent)).rejects.toMatchObject({ code: 'timeout' })
  fake.plan()
  const slow = {
    size: 2500,
    open: async function* () {
      yield bytes(1000)
      await new Promise((resolve) => setTimeout(resolve, 3 * LIMIT_MS))
      yield bytes(1500)
    },
  }
  await store.put('b', slow, absent)
  expect(stored('b')).toHaveLength(2500)
})
