import { type BlobStore, getBytes, type ReplayableBody, readResumable } from '@sqlstream/storage'
import { FakeGCS, type HttpFault } from '@sqlstream/testkit/servers'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { GCSStore } from '../src/index.ts'
import { openStore } from './fake-store.ts'

const MIB = 2 ** 20
/** An eighth of the smallest part. */
const UNIT = 2 ** 15
const LIMIT_MS = 200
const fake = await FakeGCS.start()
const bucket = fake.bucket('bucket')
afterAll(() => fake[Symbol.asyncDispose]())
let store: GCSStore

beforeEach(async () => {
  fake.plan()
  for (const name of bucket.names()) bucket.remove(name, new URLSearchParams())
  store = openStore(fake.url, { limitMs: LIMIT_MS, partSize: 8 * UNIT })
})
afterEach(() => store[Symbol.asyncDispose]())

/** A start and two parts. */
function large(value: number): ReplayableBody {
  return {
    async *open() {
      for (let i = 0; i < 9; i++) yield new Uint8Array(UNIT).fill(value + i)
    },
  }
}

function firstByte(): number | undefined {
  return bucket.find('a')?.bytes[0]
}

// Each of these alone must not be seen by the caller: the request is repeated, or what became of it is found out.
const PASSING: readonly HttpFault[] = [
  { kind: 'drop' },
  { kind: 'drop-answer' },
  { kind: 'refuse', status: 503 },
  { kind: 'refuse', status: 429, code: 'rateLimitExceeded' },
  { kind: 'refuse', status: 403, code: 'userRateLimitExceeded' },
  { kind: 'refuse-after', status: 500 },
  { kind: 'hang' },
  { kind: 'hang-answer' },
  { kind: 'cut', after: 0 },
  { kind: 'hang-body', after: 0 },
]

type Call = (store: BlobStore) => Promise<unknown>

const CALLS: readonly [name: string, requests: number, call: Call, check: () => void][] = [
  ['small put', 1, (store) => store.put('a', Uint8Array.of(2)), () => expect(firstByte()).toBe(2)],
  [
    'small put of a new object',
    1,
    (store) => store.put('b', Uint8Array.of(2), { precondition: { kind: 'absent' } }),
    () => expect(bucket.find('b')!.bytes[0]).toBe(2),
  ],
  [
    'small put of a next version',
    1,
    (store) => store.put('a', Uint8Array.of(2), { precondition: { kind: 'match', etag: etagOfA() } }),
    () => expect(firstByte()).toBe(2),
  ],
  ['large put', 3, (store) => store.put('a', large(2)), () => expect(firstByte()).toBe(2)],
  [
    'large put of a new object',
    3,
    (store) => store.put('b', large(2), { precondition: { kind: 'absent' } }),
    () => expect(bucket.find('b')!.bytes).toHaveLength(9 * UNIT),
  ],
  [
    'large put of a next version',
    3,
    (store) => store.put('a', large(2), { precondition: { kind: 'match', etag: etagOfA() } }),
    () => expect(bucket.find('a')!.bytes[8 * UNIT]).toBe(10),
  ],
  ['delete', 1, (store) => store.delete(['a']), () => expect(bucket.find('a')).toBeUndefined()],
  ['head', 1, (store) => store.head('a'), () => {}],
  ['get', 1, (store) => getBytes(store, 'a'), () => {}],
  [
    'list',
    1,
    async (store) => {
      const keys: string[] = []
      for await (const { key } of store.list()) keys.push(key)
      expect(keys).toEqual(['a'])
    },
    () => {},
  ],
]

function etagOfA(): never {
  return bucket.find('a')!.resource.generation as never
}

describe.each(CALLS)('a %s', (_, requests, call, check) => {
  test.each(PASSING)('survives %o at any request', async (fault) => {
    for (let n = 1; n <= requests; n++) {
      fake.plan()
      await store.delete(['b'])
      await store.put('a', Uint8Array.of(1))
      const plan = fake.plan([{ at: n, fault }])
      await call(store)
      expect(plan.fired).toBe(1)
      check()
    }
  })

  test('ends in time when nothing is ever answered, and says so', async () => {
    await store.put('a', Uint8Array.of(1))
    fake.plan([{ fault: { kind: 'hang' } }])
    const started = performance.now()
    await expect(call(store)).rejects.toMatchObject({ code: 'timeout', transient: true, driver: 'gcs' })
    // Four tries each, and for a large body, or to find out, some more.
    expect(performance.now() - started).toBeLessThan(16 * LIMIT_MS + 5000)
  })

  test('is unavailable when every request is refused', async () => {
    await store.put('a', Uint8Array.of(1))
    fake.plan([{ fault: { kind: 'refuse', status: 503 } }])
    await expect(call(store)).rejects.toMatchObject({ code: 'unavailable', transient: true })
    expect(fake.traffic().requests).toBeLessThanOrEqual(16)
  })
})

describe('a conditional put that another writer overtakes', () => {
  test.each([
    ['small', Uint8Array.of(2), ['objects.insert']],
    ['large', large(2), ['uploads.start', 'uploads.put']],
  ] as const)('is refused with certainty, though its request was lost: %s', async (_, body, requests) => {
    for (const request of requests) {
      for (const fault of [{ kind: 'drop' }, { kind: 'hang' }] as const) {
        bucket.remove('a', new URLSearchParams())
        await using slow = openStore(fake.url, {
          limitMs: LIMIT_MS,
          partSize: 8 * UNIT,
          pause: async () => {
            if (firstByte() !== 7) bucket.write('a', Buffer.from([7]), {}, new URLSearchParams())
          },
        })
        const plan = fake.plan([{ request, at: 1, fault }])
        await expect(slow.put('a', body, { precondition: { kind: 'absent' } })).rejects.toMatchObject({
          code: 'precondition-failed',
          transient: false,
        })
        expect(plan.fired).toBe(1)
        expect(firstByte()).toBe(7)
      }
    }
  })
  beforeEach(() => store.put('a', Uint8Array.of(1)))
})

describe('a session', () => {
  test('that takes less than was sent is continued', async () => {
    await using other = await FakeGCS.start({ sessionTakesAtMost: 3 * 8 * UNIT })
    await using narrow = openStore(other.url, { partSize: 8 * 8 * UNIT })
    const body: ReplayableBody = {
      async *open() {
        for (let i = 0; i < 9; i++) yield new Uint8Array(8 * UNIT).fill(i)
      },
    }
    expect(await narrow.put('a', body)).toMatchObject({ size: 9 * 8 * UNIT })
    const { bytes } = other.bucket('bucket').find('a')!
    expect(Array.from({ length: 9 }, (_, i) => bytes[i * 8 * UNIT])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    // Three of four parts' tries each take a part of it.
    expect(other.traffic('uploads.put').requests).toBe(4)
  })

  test('that takes nothing is given up', async () => {
    await using other = await FakeGCS.start({ sessionTakesAtMost: 0 })
    await using narrow = openStore(other.url, { partSize: 8 * UNIT })
    await expect(narrow.put('a', large(1))).rejects.toMatchObject({ code: 'unavailable' })
  })

  /** Three parts, of which the last is read when the first is on its way; then the service loses the session. */
  function forgotten(times: number): ReplayableBody & { readings: number } {
    return {
      readings: 0,
      async *open() {
        this.readings += 1
        for (let i = 0; i < 17; i++) {
          if (i === 16 && this.readings <= times) fake.loseSessions()
          yield new Uint8Array(UNIT).fill(i)
        }
      },
    }
  }

  test.each([undefined, { kind: 'absent' }] as const)(
    'that the service lost starts again: %o',
    async (precondition) => {
      const body = forgotten(1)
      expect(await store.put('a', body, { precondition })).toMatchObject({ size: 17 * UNIT })
      expect(fake.traffic('uploads.start').requests).toBe(2)
      expect(body.readings).toBe(2)
    },
  )

  test('that is lost with every try is an error that may pass', async () => {
    await expect(store.put('a', forgotten(9))).rejects.toMatchObject({ code: 'unavailable', transient: true })
    expect(bucket.find('a')).toBeUndefined()
  })
})

test('bytes that change on their way are not stored, and sent again', async () => {
  const original = bucket.write.bind(bucket)
  let damaged = 0
  bucket.write = (name, bytes, metadata, query) => {
    if (damaged++ > 0) return original(name, bytes, metadata, query)
    const wrong = Buffer.from(bytes)
    wrong[0]! ^= 1
    return original(name, wrong, metadata, query)
  }
  try {
    for (const body of [Uint8Array.of(2, 3, 4), large(2)]) {
      damaged = 0
      const info = await store.put('a', body, { precondition: { kind: 'absent' } })
      expect(firstByte()).toBe(2)
      expect(info.etag).toBe(bucket.find('a')!.resource.generation)
      expect(damaged).toBeGreaterThan(1)
      bucket.remove('a', new URLSearchParams())
    }
  } finally {
    bucket.write = original
  }
})

describe('a body', () => {
  beforeEach(() => store.put('a', new Uint8Array(MIB).fill(5)))

  test.each([
    { kind: 'cut', after: 100_000 },
    { kind: 'hang-body', after: 100_000 },
  ] as const)(
    'that stops after %o is an error that may pass, and a resumed reading goes on',
    async (fault) => {
      fake.plan([{ at: 1, fault }])
      const { body } = await store.get('a')
      const reading = (async () => {
        for await (const _ of body);
      })()
      await expect(reading).rejects.toMatchObject({ transient: true, operation: 'get', key: 'a' })
      fake.plan([{ at: [1, 3], fault }])
      const resumed = await readResumable(store, 'a')
      let size = 0
      for await (const chunk of resumed.body) size += chunk.length
      expect(size).toBe(MIB)
    },
  )

  test('that is shorter than the object, though its own length says that it is whole, is refused', async () => {
    fake.plan([{ fault: { kind: 'short', after: 1000 } }])
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(store.get('a', { range: { offset: 0, length: 2000 } })).rejects.toMatchObject({
      code: 'unsupported',
    })
  })

  test('that comes slowly is read, however long it takes in all', async () => {
    fake.plan([{ fault: { kind: 'slow', bytes: 100_000, everyMs: LIMIT_MS / 4 } }])
    const started = performance.now()
    expect(await getBytes(store, 'a')).toHaveLength(MIB)
    expect(performance.now() - started).toBeGreaterThan(LIMIT_MS * 2)
  })
})

// A fresh server: one that hangs does not notice who goes away.
test('a body that was left gives its connection back or closes it, also when it hangs', async () => {
  await using other = await FakeGCS.start()
  await using reader = openStore(other.url)
  await reader.put('a', new Uint8Array(MIB))
  other.plan([{ fault: { kind: 'hang-body', after: 1000 } }])
  for (let i = 0; i < 10; i++) {
    const { body } = await reader.get('a')
    const iterator = body[Symbol.asyncIterator]()
    if (i % 2 === 0) await iterator.next()
    await iterator.return!()
  }
  other.plan()
  await reader.head('a')
  await expect.poll(() => other.connections()).toBe(1)
})

test('requests that hang leave no connection behind', async () => {
  await using other = await FakeGCS.start()
  await using caller = openStore(other.url, { limitMs: LIMIT_MS })
  await caller.put('a', Uint8Array.of(1))
  other.plan([{ fault: { kind: 'hang-answer' } }])
  const calls = [caller.head('a'), caller.get('a'), caller.put('b', Uint8Array.of(1)), caller.delete(['a'])]
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'timeout' } })
  }
  other.plan()
  await caller.head('b')
  await expect.poll(() => other.connections()).toBe(1)
})
