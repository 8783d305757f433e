import {
  type BlobStore,
  type ETag,
  getBytes,
  isStorageError,
  type ReplayableBody,
  StorageError,
} from '@sqlstream/storage'
import type { HttpFault } from '@sqlstream/testkit/servers'
import { beforeAll, describe, expect, test } from 'vitest'
import { openAzureStore } from '../src/index.ts'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const { proxy } = azurite
let container = ''
/** Through the proxy. */
let store: BlobStore
/** The same, with little patience for a server that hangs. */
let hasty: BlobStore
/** Past the proxy: what is there in truth. */
let truth: BlobStore

beforeAll(async () => {
  container = await azurite.container()
  store = await openAzureStore(azurite.options(container, proxy.url))
  // Enough for a request on a machine that does other things; a hang takes as long.
  const limits = { timeoutMs: 3000, leastBytesPerSecond: 100 * MIB }
  hasty = await openAzureStore({ ...azurite.options(container, proxy.url), ...limits })
  truth = await openAzureStore(azurite.options(container))
})

const MIB = 2 ** 20
const old = Uint8Array.of(1, 1, 1)
let keys = 0

/** A fresh key, with an object or without. */
async function object(bytes?: Uint8Array): Promise<{ key: string; etag: ETag | undefined }> {
  const key = `object-${keys++}`
  return { key, etag: bytes === undefined ? undefined : (await truth.put(key, bytes)).etag }
}

async function bytesOf(key: string): Promise<Uint8Array | undefined> {
  try {
    return await getBytes(truth, key)
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    throw error
  }
}

/** A block and a bit, of a size that nobody was told. */
const largeBytes = new Uint8Array(9 * MIB).fill(3)
const large: ReplayableBody = {
  open: async function* () {
    for (let at = 0; at < largeBytes.length; at += MIB) yield largeBytes.subarray(at, at + MIB)
  },
}

const ONCE: readonly (readonly [string, HttpFault])[] = [
  ['the connection drops before', { kind: 'drop' }],
  ['the answer is lost', { kind: 'drop-answer' }],
  ['the server fails', { kind: 'refuse', status: 500 }],
  ['the server is busy', { kind: 'refuse', status: 503, code: 'ServerBusy' }],
  ['too many requests', { kind: 'refuse', status: 429, code: 'TooManyRequests' }],
  ['the server did it and says that it failed', { kind: 'refuse-after', status: 500 }],
  ['the request comes twice', { kind: 'twice' }],
]

describe.each(ONCE)('%s, once:', (_, fault) => {
  const plan = (request: string) => proxy.plan([{ request, at: 1, fault }])
  // Sent twice by the network, a conditional put may lose against itself: it must then know that it won.
  const bytes = Uint8Array.of(2, 2, 2, 2)

  test('a put succeeds', async () => {
    const { key } = await object(old)
    const faults = plan('Put Blob')
    const info = await store.put(key, bytes)
    expect(faults.fired).toBe(1)
    expect(await truth.head(key)).toEqual(info)
    expect(await bytesOf(key)).toEqual(bytes)
  })

  test('a put of a new object succeeds, or says what is true', async () => {
    const { key } = await object()
    const faults = plan('Put Blob')
    const outcome = await store.put(key, bytes, { precondition: { kind: 'absent' } }).catch((e: unknown) => e)
    expect(faults.fired).toBe(1)
    expect(await bytesOf(key)).toEqual(bytes)
    if (fault.kind !== 'twice') expect(outcome).toEqual(await truth.head(key))
    else expect(outcome).toMatchObject({ code: 'precondition-failed' })
  })

  test('a put of the next version succeeds, or says what is true', async () => {
    const { key, etag } = await object(old)
    const faults = plan('Put Blob')
    const precondition = { kind: 'match', etag: etag! } as const
    const outcome = await store.put(key, bytes, { precondition }).catch((error: unknown) => error)
    expect(faults.fired).toBe(1)
    expect(await bytesOf(key)).toEqual(bytes)
    if (fault.kind !== 'twice') expect(outcome).toEqual(await truth.head(key))
    else expect(outcome).toMatchObject({ code: 'precondition-failed' })
  })

  test('head, get, list and delete succeed', async () => {
    const { key } = await object(old)
    const listed = async () => {
      const found: string[] = []
      for await (const info of store.list({ prefix: key })) found.push(info.key)
      return found
    }
    for (const [request, call, result] of [
      ['Get Blob Properties', () => store.head(key), expect.objectContaining({ key, size: 3 })],
      ['Get Blob', () => getBytes(store, key), old],
      ['Get Blob Properties', () => getBytes(store, key, { range: { suffix: 2 } }), old.subarray(1)],
      ['List Blobs', listed, [key]],
      ['Delete Blob', () => store.delete([key]), undefined],
    ] as const) {
      const faults = plan(request)
      expect(await call()).toEqual(result)
      expect(faults.fired, request).toBe(1)
    }
    expect(await bytesOf(key)).toBeUndefined()
  })
})

describe.each([
  ['a block', 'Put Block'],
  ['the commit', 'Put Block List'],
])('of a large put %s fails:', (_, request) => {
  test.each(ONCE.filter(([, { kind }]) => kind !== 'twice'))('%s', async (__, fault) => {
    const { key } = await object()
    const faults = proxy.plan([{ request, at: 1, fault }])
    const info = await store.put(key, large, { precondition: { kind: 'absent' } })
    expect(faults.fired).toBe(1)
    expect(info).toEqual(await truth.head(key))
    expect(Buffer.compare((await bytesOf(key))!, largeBytes)).toBe(0)
  })
})

describe('a server that hangs once', () => {
  const precondition = { kind: 'absent' } as const

  test.each(['hang', 'hang-answer'] as const)('%s: a put succeeds', async (kind) => {
    const { key } = await object()
    const faults = proxy.plan([{ request: 'Put Blob', at: 1, fault: { kind } }])
    const info = await hasty.put(key, Uint8Array.of(5), { precondition })
    expect(faults.fired).toBe(1)
    expect(info).toEqual(await truth.head(key))
  })

  test('a block is sent again', async () => {
    const { key } = await object()
    const faults = proxy.plan([{ request: 'Put Block', at: 1, fault: { kind: 'hang' } }])
    await hasty.put(key, large, { precondition })
    expect(faults.fired).toBe(1)
    expect(Buffer.compare((await bytesOf(key))!, largeBytes)).toBe(0)
  })

  test('a body goes on by range', async () => {
    const bytes = new Uint8Array(300_000).map((_, i) => i * 7)
    const { key } = await object(bytes)
    const faults = proxy.plan([{ request: 'Get Blob', at: 1, fault: { kind: 'hang-body', after: 100_000 } }])
    expect(Buffer.compare(await getBytes(hasty, key), bytes)).toBe(0)
    expect(faults.fired).toBe(1)
    expect(proxy.traffic('Get Blob').requests).toBe(2)
  })
})

describe('bodies', () => {
  const bytes = new Uint8Array(300_000).map((_, i) => i * 7)
  test.each<readonly [string, HttpFault]>([
    ['cut', { kind: 'cut', after: 100_000 }],
    ['cut before the first byte', { kind: 'cut', after: 0 }],
  ])('a body that is %s fails as unavailable, and the reading goes on by range', async (__, fault) => {
    const { key } = await object(bytes)
    proxy.plan([{ request: 'Get Blob', at: 1, fault }])
    const outcome = await store
      .get(key)
      .then(async ({ body }) => {
        for await (const _ of body);
      })
      .catch((error: unknown) => error)
    expect(outcome).toBeInstanceOf(StorageError)
    expect(outcome).toMatchObject({ transient: true, operation: 'get', key })
    const faults = proxy.plan([{ request: 'Get Blob', at: 1, fault }])
    expect(Buffer.compare(await getBytes(store, key), bytes)).toBe(0)
    expect(faults.fired).toBe(1)
    expect(proxy.traffic('Get Blob').requests).toBe(2)
  })

  test('an answer that is shorter than it should be is no answer', async () => {
    const { key } = await object(bytes)
    const faults = proxy.plan([{ request: 'Get Blob', fault: { kind: 'short', after: 10 } }])
    const range = { offset: 5, length: 100 }
    await expect(store.get(key, { range })).rejects.toMatchObject({ code: 'unavailable' })
    expect(faults.fired).toBeGreaterThan(0)
  })

  test('a cut listing is asked for again', async () => {
    const { key } = await object(old)
    const faults = proxy.plan([{ request: 'List Blobs', at: 1, fault: { kind: 'cut', after: 100 } }])
    const found: string[] = []
    for await (const info of store.list({ prefix: key })) found.push(info.key)
    expect(found).toEqual([key])
    expect(faults.fired).toBe(1)
  })
})

describe('for good', () => {
  const ALWAYS: readonly (readonly [string, HttpFault, string])[] = [
    ['drops', { kind: 'drop' }, 'unavailable'],
    ['fails', { kind: 'refuse', status: 500 }, 'unavailable'],
    ['is busy', { kind: 'refuse', status: 503, code: 'ServerBusy' }, 'rate-limited'],
    ['hangs', { kind: 'hang' }, 'timeout'],
  ]
  test.each(ALWAYS)('a server that %s ends every call with a transient error', async (_, fault, code) => {
    const { key, etag } = await object(old)
    // Nothing succeeds here, so no load of the machine makes a limit too short.
    const limits = fault.kind === 'hang' ? { timeoutMs: 100, leastBytesPerSecond: 100 * MIB } : {}
    const quick = await openAzureStore({ ...azurite.options(container, proxy.url), ...limits })
    proxy.plan([{ fault }])
    const expected = { code, transient: true, driver: 'abs' }
    await expect(quick.head(key)).rejects.toMatchObject(expected)
    await expect(quick.get(key)).rejects.toMatchObject(expected)
    await expect(quick.get(key, { range: { suffix: 1 } })).rejects.toMatchObject(expected)
    await expect(quick.put(key, largeBytes.subarray(0, 5))).rejects.toMatchObject(expected)
    await expect(quick.put(key, large)).rejects.toMatchObject(expected)
    await expect(
      quick.put(key, Uint8Array.of(9), { precondition: { kind: 'match', etag: etag! } }),
    ).rejects.toMatchObject(expected)
    await expect(quick.delete([key, 'other'])).rejects.toMatchObject(expected)
    await expect(quick.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected)
    proxy.plan()
    expect(await bytesOf(key)).toEqual(old)
  })

  test('a server that did it and never says so: a conditional put reports success by reading back', async () => {
    const { key } = await object()
    proxy.plan([{ request: 'Put Blob', fault: { kind: 'drop-answer' } }])
    const info = await store.put(key, Uint8Array.of(5), { precondition: { kind: 'absent' } })
    expect(info).toEqual(await truth.head(key))
    expect(proxy.traffic('Put Blob').requests).toBeGreaterThan(1)
  })

  test('another writer comes while the request is lost: a refusal, and its object stays', async () => {
    const { key } = await object()
    const other = Uint8Array.of(7, 7)
    proxy.plan([{ request: 'Put Blob', at: 1, fault: { kind: 'drop' } }])
    azurite.before('Put Blob', () => truth.put(key, other))
    const put = store.put(key, Uint8Array.of(5), { precondition: { kind: 'absent' } })
    await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
    expect(proxy.traffic('Put Blob').requests).toBe(2)
    expect(await bytesOf(key)).toEqual(other)
  })
})
