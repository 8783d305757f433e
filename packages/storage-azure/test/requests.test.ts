import { type BlobStore, copyBlob, discardBody, getBytes, type ReplayableBody } from '@sqlstream/storage'
import { beforeAll, describe, expect, test } from 'vitest'
import { openAzureStore } from '../src/index.ts'
import { azuriteForTests } from './azurite.ts'

const azurite = azuriteForTests()
const { proxy } = azurite
let container = ''
let store: BlobStore
let truth: BlobStore

beforeAll(async () => {
  container = await azurite.container()
  store = await openAzureStore(azurite.options(container, proxy.url))
  truth = await openAzureStore(azurite.options(container))
})

const MIB = 2 ** 20

/** A body of unknown size. */
function body(size: number, fill: number): ReplayableBody {
  return {
    open: async function* () {
      for (let at = 0; at < size; at += MIB) yield new Uint8Array(Math.min(MIB, size - at)).fill(fill)
    },
  }
}

async function keysOf(listing: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listing) keys.push(key)
  return keys
}

/** Which requests a call makes. */
async function requestsOf(call: () => Promise<unknown>): Promise<Record<string, number>> {
  proxy.plan()
  await call()
  const names = [
    'Put Blob',
    'Put Block',
    'Put Block List',
    'Copy Blob From URL',
    'Get Blob',
    'Get Blob Properties',
    'List Blobs',
    'Delete Blob',
  ]
  const counts = names.map((name) => [name, proxy.traffic(name).requests] as const).filter(([, n]) => n > 0)
  expect(proxy.traffic().requests).toBe(counts.reduce((sum, [, n]) => sum + n, 0))
  return Object.fromEntries(counts)
}

describe('what a call costs', () => {
  test('what fits into a block is one request, whatever was known of its size', async () => {
    for (const each of [
      new Uint8Array(0),
      new Uint8Array(3),
      body(0, 1),
      body(8 * MIB, 1),
      { size: 5, ...body(5, 1) },
    ]) {
      expect(await requestsOf(() => store.put('a', each))).toEqual({ 'Put Blob': 1 })
    }
    const precondition = { kind: 'absent' } as const
    expect(await requestsOf(() => store.put('new', body(3, 1), { precondition }))).toEqual({ 'Put Blob': 1 })
  })

  test('a larger one is a request for each block and one for all, with a look ahead where there is a condition', async () => {
    expect(await requestsOf(() => store.put('a', body(8 * MIB + 1, 1)))).toEqual({
      'Put Block': 2,
      'Put Block List': 1,
    })
    const precondition = { kind: 'absent' } as const
    expect(await requestsOf(() => store.put('large', body(20 * MIB, 1), { precondition }))).toEqual({
      'Get Blob Properties': 1,
      'Put Block': 3,
      'Put Block List': 1,
    })
  })

  test('a large put that cannot succeed sends no block', async () => {
    const { etag } = await truth.put('old', Uint8Array.of(1))
    await truth.put('old', Uint8Array.of(2))
    for (const precondition of [{ kind: 'absent' }, { kind: 'match', etag }] as const) {
      const put = () =>
        expect(store.put('old', body(20 * MIB, 1), { precondition })).rejects.toMatchObject({
          code: 'precondition-failed',
        })
      expect(await requestsOf(put)).toEqual({ 'Get Blob Properties': 1 })
    }
  })

  test('reading is one request, and two for the last bytes', async () => {
    await truth.put('a', new Uint8Array(1000))
    expect(await requestsOf(() => store.head('a'))).toEqual({ 'Get Blob Properties': 1 })
    expect(await requestsOf(() => getBytes(store, 'a'))).toEqual({ 'Get Blob': 1 })
    expect(await requestsOf(() => getBytes(store, 'a', { range: { offset: 5, length: 9 } }))).toEqual({
      'Get Blob': 1,
    })
    expect(await requestsOf(() => getBytes(store, 'a', { range: { suffix: 9 } }))).toEqual({
      'Get Blob Properties': 1,
      'Get Blob': 1,
    })
  })

  test('a listing is a request for 5,000 entries, a delete one for each key', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `many/${i}`)
    for (const key of keys) await truth.put(key, Uint8Array.of(1))
    expect(await requestsOf(() => keysOf(store.list({ prefix: 'many/' })))).toEqual({
      'List Blobs': 1,
    })
    expect(await requestsOf(() => store.delete([...keys, ...keys]))).toEqual({ 'Delete Blob': 40 })
  })
})

describe('how much runs at once', () => {
  test('no more requests than the limit', async () => {
    const limited = await openAzureStore({ ...azurite.options(container, proxy.url), concurrency: 3 })
    azurite.most()
    await Promise.all(Array.from({ length: 30 }, (_, i) => limited.put(`parallel-${i}`, Uint8Array.of(i))))
    expect(azurite.most()).toBe(3)
  })

  test('a body that nobody reads takes no place', async () => {
    await truth.put('a', new Uint8Array(MIB))
    const limited = await openAzureStore({ ...azurite.options(container, proxy.url), concurrency: 1 })
    const unread = [await limited.get('a'), await limited.get('a')]
    expect((await limited.head('a')).size).toBe(MIB)
    for (const { body } of unread) await discardBody(body)
  })

  test('some blocks, but not all', async () => {
    azurite.most()
    await store.put('large', body(40 * MIB, 1))
    const most = azurite.most()
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(3)
  })
})

describe('two writers of one large object', () => {
  test('one whose blocks were swept away by the commit of the other sends them again', async () => {
    azurite.before('Put Block List', () => truth.put('swept', body(9 * MIB, 1)))
    const requests = await requestsOf(() => store.put('swept', body(9 * MIB, 2)))
    expect(requests).toEqual({ 'Put Block': 4, 'Put Block List': 2 })
    expect(Buffer.compare(await getBytes(truth, 'swept'), new Uint8Array(9 * MIB).fill(2))).toBe(0)
  })

  test('under a condition it is refused', async () => {
    azurite.before('Put Block List', () => truth.put('refused', Uint8Array.of(1)))
    const put = store.put('refused', body(9 * MIB, 2), { precondition: { kind: 'absent' } })
    await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
    expect(await getBytes(truth, 'refused')).toEqual(Uint8Array.of(1))
  })

  test('of many at once with absent exactly one wins, and the object is its body', async () => {
    const puts = [1, 2, 3, 4].map((fill) =>
      truth.put('race', body(9 * MIB, fill), { precondition: { kind: 'absent' } }),
    )
    const outcomes = await Promise.allSettled(puts)
    const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
    expect(won).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'precondition-failed' })
    }
    expect(Buffer.compare(await getBytes(truth, 'race'), new Uint8Array(9 * MIB).fill(won[0]!))).toBe(0)
  })

  test('of many at once without a condition the object is one whole body', async () => {
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((fill) => truth.put('mixed', body(9 * MIB, fill))),
    )
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'unavailable', transient: true })
    }
    const bytes = await getBytes(truth, 'mixed')
    expect(Buffer.compare(bytes, new Uint8Array(9 * MIB).fill(bytes[0]!))).toBe(0)
  })
})

test('the last bytes of an object that is replaced between the two requests are those of the new one', async () => {
  await truth.put('tail', new Uint8Array(100).fill(1))
  azurite.before('Get Blob', () => truth.put('tail', new Uint8Array(10).fill(2)))
  expect(await getBytes(store, 'tail', { range: { suffix: 50 } })).toEqual(new Uint8Array(10).fill(2))
})

test('a timestamp is kept where Litestream looks for it', async () => {
  const timestamp = new Date('2026-01-02T03:04:05.670Z')
  await store.put('dated', Uint8Array.of(1), { timestamp })
  await store.put('dated-large', body(9 * MIB, 1), { timestamp })
  for (const key of ['dated', 'dated-large']) {
    const { metadata } = await azurite.client(container).getBlobClient(key).getProperties()
    expect(metadata).toEqual({ litestreamtimestamp: '2026-01-02T03:04:05.67Z' })
  }
})

describe('a copy', () => {
  const absent = { precondition: { kind: 'absent' } } as const
  const copy = (to: string, options = {}) =>
    copyBlob({ store, key: 'copy/source' }, { store, key: to }, options)

  beforeAll(async () => {
    await truth.put('copy/source', new Uint8Array(MIB).fill(7))
  })

  test('is a look at its source and one request, and no byte of it comes through here', async () => {
    const requests = { 'Get Blob Properties': 1, 'Copy Blob From URL': 1 }
    expect(await requestsOf(() => copy('copy/a'))).toEqual(requests)
    expect(await requestsOf(() => copy('copy/b', absent))).toEqual(requests)
    const { bytesIn, bytesOut } = proxy.traffic()
    expect(bytesIn + bytesOut).toBeLessThan(1000)
    expect(await getBytes(truth, 'copy/b')).toEqual(new Uint8Array(MIB).fill(7))
  })

  test('whose answer is lost is found by its id; one of another writer is not taken for it', async () => {
    const plan = proxy.plan([{ request: 'Copy Blob From URL', at: 1, fault: { kind: 'drop-answer' } }])
    expect(await copy('copy/lost', absent)).toMatchObject({ size: MIB })
    expect(plan.fired).toBe(1)
    proxy.plan()
    await expect(copy('copy/lost', absent)).rejects.toMatchObject({ code: 'precondition-failed' })
  })

  test.each([
    [403, 'AuthorizationFailure'],
    [401, 'CannotVerifyCopySource'],
    [412, 'SourceConditionNotMet'],
  ])('that is refused with %i %s is left to the caller', async (status, code) => {
    proxy.plan([{ request: 'Copy Blob From URL', fault: { kind: 'refuse', status, code } }])
    expect(await copy('copy/refused', absent)).toBeUndefined()
    proxy.plan()
    await expect(truth.head('copy/refused')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('to another container of the account is made, and to another account is left to the caller', async () => {
    const other = await openAzureStore(azurite.options(await azurite.container()))
    expect(await copyBlob({ store: truth, key: 'copy/source' }, { store: other, key: 'a' })).toMatchObject({
      size: MIB,
    })
    const far = await openAzureStore({ ...azurite.options(container), endpoint: 'http://127.0.0.1:1/other' })
    expect(await copyBlob({ store: truth, key: 'copy/source' }, { store: far, key: 'a' })).toBeUndefined()
  })
})
