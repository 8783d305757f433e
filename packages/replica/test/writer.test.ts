import { type BlobStore, MemoryStore, StorageError, type StorageErrorCode } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { assumeSoleWriter, isReplicaError, type Lease, Replica } from '../src/index.ts'
import { collect } from './collect.ts'
import { countRequests } from './counting-store.ts'
import { put, smallHistory, timeOf } from './model.ts'

const KEY = 'ltx/0/0000000000000001-0000000000000001.ltx'
const RANGE = { minTXID: 1n, maxTXID: 1n } as never
const BODY = smallHistory().file(1, 1)

/** A store whose puts fail with a code, before or after they were applied. */
function failingPuts(inner: BlobStore, code: StorageErrorCode, isApplied: boolean): BlobStore {
  return wrap(inner, {
    put: async (...args) => {
      if (isApplied) await inner.put(...args)
      throw new StorageError('no answer', { code, driver: inner.driver, operation: 'put', key: args[0] })
    },
  })
}

function wrap(inner: BlobStore, changes: Partial<BlobStore>): BlobStore {
  return {
    driver: inner.driver,
    capabilities: inner.capabilities,
    list: (options) => inner.list(options),
    head: (...args) => inner.head(...args),
    get: (...args) => inner.get(...args),
    put: (...args) => inner.put(...args),
    delete: (...args) => inner.delete(...args),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...changes,
  }
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

async function bytesAt(store: BlobStore, key: string): Promise<Buffer> {
  return Buffer.concat(await collect((await store.get(key)).body))
}

describe('put', () => {
  test('creates the object under the name of its range and tells what it wrote', async () => {
    const store = new MemoryStore()
    const file = await put(new Replica(store), 0, 1, 1, BODY)
    expect(file).toMatchObject({ key: KEY, level: 0, minTXID: 1n, maxTXID: 1n, size: BODY.byteLength })
    expect(file.timestamp).toEqual(new Date(timeOf(1)))
    expect((await bytesAt(store, KEY)).equals(BODY)).toBe(true)
  })

  test('passes the time on, so that stores can keep it where Litestream looks for it', async () => {
    const times: unknown[] = []
    const inner = new MemoryStore()
    const store = wrap(inner, {
      put: (key, body, options) => {
        times.push(options?.timestamp, options?.precondition)
        return inner.put(key, body, options)
      },
    })
    await put(new Replica(store), 0, 1, 1, BODY)
    expect(times).toEqual([new Date(timeOf(1)), { kind: 'absent' }])
  })

  test('of the same bytes again is success', async () => {
    const replica = new Replica(new MemoryStore())
    await put(replica, 0, 1, 1, BODY)
    expect(await put(replica, 0, 1, 1, BODY)).toMatchObject({ key: KEY, size: BODY.byteLength })
  })

  test('compares streams of any chunking', async () => {
    const replica = new Replica(new MemoryStore({ chunkSize: 17 }))
    const body = {
      async *open() {
        for (let at = 0; at < BODY.byteLength; at += 23) {
          yield new Uint8Array(0)
          yield BODY.subarray(at, at + 23)
        }
      },
    }
    const writer = replica.writer(assumeSoleWriter('test'))
    const timestamp = new Date(0)
    await writer.put(0, RANGE, body, { timestamp })
    expect(await writer.put(0, RANGE, body, { timestamp })).toMatchObject({ size: BODY.byteLength })
    const longer = { open: () => stream([BODY, new Uint8Array(1)]) }
    const shorter = { open: () => stream([BODY.subarray(0, -1)]) }
    for (const other of [longer, shorter, BODY.subarray(1), flipped(BODY)]) {
      expect(isReplicaError(await failure(writer.put(0, RANGE, other, { timestamp })), 'fenced')).toBe(true)
    }
  })

  test('W1: never overwrites: other bytes at the name are another writer', async () => {
    const store = new MemoryStore()
    const replica = new Replica(store)
    await put(replica, 0, 1, 1, BODY)
    const error = await failure(put(replica, 0, 1, 1, flipped(BODY)))
    expect(isReplicaError(error, 'fenced')).toBe(true)
    expect((error as Error).cause).toMatchObject({ code: 'precondition-failed' })
    expect((await bytesAt(store, KEY)).equals(BODY)).toBe(true)
  })

  test.each(['unavailable', 'timeout', 'rate-limited', 'unknown'] as const)(
    "reads back when the answer is lost (%s): applied is success, not applied is the store's error",
    async (code) => {
      const inner = new MemoryStore()
      const lost = new Replica(failingPuts(inner, code, false))
      expect(await failure(put(lost, 0, 1, 1, BODY))).toMatchObject({ name: 'StorageError', code })
      expect(await collect(inner.list())).toEqual([])
      const applied = new Replica(failingPuts(inner, code, true))
      expect(await put(applied, 0, 1, 1, BODY)).toMatchObject({ key: KEY, size: BODY.byteLength })
    },
  )

  test('lets go of the object that it compared with, wherever they differ', async () => {
    const { store, open } = countRequests(new MemoryStore({ chunkSize: 64 }))
    const replica = new Replica(store)
    await put(replica, 0, 1, 1, BODY)
    const early = BODY.slice()
    early[0]! ^= 1
    for (const other of [early, flipped(BODY), BODY.subarray(1)]) {
      expect(isReplicaError(await failure(put(replica, 0, 1, 1, other)), 'fenced')).toBe(true)
      expect(open.size).toBe(0)
    }
  })

  test('reads back when the answer is lost: other bytes are another writer', async () => {
    const inner = new MemoryStore()
    await inner.put(KEY, flipped(BODY))
    const replica = new Replica(failingPuts(inner, 'timeout', false))
    expect(isReplicaError(await failure(put(replica, 0, 1, 1, BODY)), 'fenced')).toBe(true)
  })

  test('does not read back what was refused', async () => {
    const inner = new MemoryStore()
    const store = wrap(failingPuts(inner, 'permission-denied', false), {
      get: () => Promise.reject(new Error('must not be called')),
    })
    expect(await failure(put(new Replica(store), 0, 1, 1, BODY))).toMatchObject({ code: 'permission-denied' })
  })

  test('that can be neither finished nor read back fails with what may pass, if anything does', async () => {
    const code = 'permission-denied'
    const refused = new StorageError('403', { code, driver: 'memory', operation: 'get' })
    const get = (): Promise<never> => Promise.reject(refused)
    const lost = wrap(failingPuts(new MemoryStore(), 'timeout', true), { get })
    expect(await failure(put(new Replica(lost), 0, 1, 1, BODY))).toMatchObject({ code: 'timeout' })
    const taken = new MemoryStore()
    await taken.put(KEY, BODY)
    expect(await failure(put(new Replica(wrap(taken, { get })), 0, 1, 1, BODY))).toBe(refused)
  })

  test('without conditional put looks first and then creates', async () => {
    const inner = new MemoryStore()
    const capabilities = { conditionalPut: false, consistentList: true }
    const store = wrap(inner, {
      capabilities,
      put: (key, body, options) => {
        expect(options?.precondition).toBeUndefined()
        return inner.put(key, body, options)
      },
    })
    const replica = new Replica(store)
    await put(replica, 0, 1, 1, BODY)
    await put(replica, 0, 1, 1, BODY)
    expect(isReplicaError(await failure(put(replica, 0, 1, 1, flipped(BODY))), 'fenced')).toBe(true)
    expect((await bytesAt(inner, KEY)).equals(BODY)).toBe(true)
  })

  test('refuses a level that does not exist', async () => {
    const replica = new Replica(new MemoryStore())
    await expect(put(replica, 10, 1, 1, BODY)).rejects.toThrow(RangeError)
  })
})

describe('a lease', () => {
  test('W2: that is lost fences every change, before and during it', async () => {
    const controller = new AbortController()
    const lease: Lease = {
      ...assumeSoleWriter('old-host'),
      signal: controller.signal,
      during: (work) => work(controller.signal),
    }
    const inner = new MemoryStore()
    const store = wrap(inner, {
      put: async (...args) => {
        controller.abort(new Error('lost'))
        args[2]?.signal?.throwIfAborted()
        return await inner.put(...args)
      },
    })
    const writer = new Replica(store).writer(lease)
    const during = await failure(writer.put(0, RANGE, BODY))
    expect(isReplicaError(during, 'fenced')).toBe(true)
    expect((during as Error).message).toContain('old-host')
    const identity = { databaseId: 'x', pageSize: 512, created: '' }
    for (const work of [writer.put(0, RANGE, BODY), writer.remove([]), writer.createIdentity(identity)]) {
      expect(isReplicaError(await failure(work), 'fenced')).toBe(true)
    }
    expect(await collect(inner.list())).toEqual([])
  })

  test('leaves an abort by the caller as it is', async () => {
    const reason = new Error('stop')
    const writer = new Replica(new MemoryStore()).writer(assumeSoleWriter('test'))
    const options = { timestamp: new Date(0), signal: AbortSignal.abort(reason) }
    expect(await failure(writer.put(0, RANGE, BODY, options))).toBe(reason)
  })
})

test('remove deletes files; those that are gone are no error', async () => {
  const store = new MemoryStore()
  const replica = new Replica(store)
  const writer = replica.writer(assumeSoleWriter('test'))
  const file = await put(replica, 0, 1, 1, BODY)
  await writer.remove([file])
  await writer.remove([file])
  await writer.remove([])
  expect(await collect(store.list())).toEqual([])
})

describe('identity', () => {
  const mine = { databaseId: 'a1', pageSize: 4096, created: '2026-01-01T00:00:00.000Z' }
  const other = { ...mine, databaseId: 'b2' }

  test('W3: belongs to whom came first', async () => {
    const replica = new Replica(new MemoryStore())
    const writer = replica.writer(assumeSoleWriter('test'))
    expect(await replica.identity()).toBeUndefined()
    expect(await writer.createIdentity(mine)).toEqual(mine)
    expect(await writer.createIdentity(mine)).toEqual(mine)
    expect(await writer.createIdentity(other)).toEqual(mine)
    expect(await replica.identity()).toEqual(mine)
  })

  test.each([
    '{}',
    '[]',
    'null',
    '{"databaseId":"","pageSize":1,"created":""}',
    '{"databaseId":"a","created":""}',
    '\xff',
  ])('that is %j is corrupt', async (text) => {
    const store = new MemoryStore()
    await store.put('.sqlstream/identity.json', Buffer.from(text, 'latin1'))
    expect(isReplicaError(await failure(new Replica(store).identity()), 'corrupt')).toBe(true)
  })

  test('may have fields that a later version added', async () => {
    const store = new MemoryStore()
    await store.put('.sqlstream/identity.json', Buffer.from(JSON.stringify({ ...mine, more: 1 })))
    expect(await new Replica(store).identity()).toEqual(mine)
  })
})

function flipped(bytes: Uint8Array): Uint8Array {
  const other = bytes.slice()
  other[other.length - 1]! ^= 1
  return other
}

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
