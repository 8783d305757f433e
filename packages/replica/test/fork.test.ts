import { toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore, relayCopy, withFaults, withPrefix } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import {
  assumeSoleWriter,
  filesOf,
  forkReplica,
  planRestore,
  Replica,
  restorableTXIDs,
  restore,
} from '../src/index.ts'
import { countRequests } from './counting-store.ts'
import { dyingStore } from './dying-store.ts'
import { MemorySink } from './memory-sink.ts'
import { smallHistory, upload } from './model.ts'

const MODEL = smallHistory()
const HEAD = MODEL.txid

async function source(): Promise<Replica> {
  const store = new MemoryStore()
  await upload(MODEL, store)
  return new Replica(store)
}

async function fork(
  from: Replica,
  txid: number,
  store: ConstructorParameters<typeof Replica>[0],
  databaseId = 'fork',
) {
  const plan = planRestore(await from.catalog(), { kind: 'txid', txid: toTXID(BigInt(txid)) })
  const target = new Replica(store)
  const writer = target.writer(assumeSoleWriter('test'))
  return { plan, target, result: await forkReplica(from, plan, target, writer, { databaseId }) }
}

test('a fork restores to the state it began with, and to what leads there, and to nothing else', async () => {
  const from = await source()
  const before = filesOf(await from.catalog())
  for (let txid = 1; txid <= HEAD; txid++) {
    const { target, plan, result } = await fork(from, txid, new MemoryStore())
    const catalog = await target.catalog()
    expect(filesOf(catalog).map(({ key, size }) => [key, size])).toEqual(
      filesOf({ levels: new Map([[0, plan.files]]) }).map(({ key, size }) => [key, size]),
    )
    expect(result.bytes).toBe(plan.files.reduce((sum, { size }) => sum + size, 0))
    expect(restorableTXIDs(catalog).at(-1)).toBe(BigInt(txid))
    const sink = new MemorySink()
    const { proven } = await restore(target, planRestore(catalog, { kind: 'latest' }), sink)
    expect(proven).toBe(true)
    expect(sink.image).toEqual(MODEL.image(txid))
    expect(await target.identity()).toMatchObject({ databaseId: 'fork', pageSize: 512 })
  }
  expect(filesOf(await from.catalog())).toEqual(before)
})

test('a fork that died at any request leaves nothing to restore, or all of it, and goes on', async () => {
  const from = await source()
  for (let n = 1; ; n++) {
    const store = new MemoryStore()
    const died = await fork(from, HEAD, dyingStore(store, n)).then(
      () => false,
      () => true,
    )
    const restorable = restorableTXIDs(await new Replica(store).catalog())
    expect([undefined, BigInt(HEAD)]).toContain(restorable.at(-1))
    const { target } = await fork(from, HEAD, store, 'again')
    expect(restorableTXIDs(await target.catalog()).at(-1)).toBe(BigInt(HEAD))
    if (!died) break
  }
})

test('a place where another replica is stays as it is', async () => {
  const from = await source()
  const store = new MemoryStore()
  await fork(from, 2, store)
  const before = filesOf(await new Replica(store).catalog())
  // The files of an earlier state are a part of those of a later one, but not the other way round.
  await expect(fork(from, 1, store)).rejects.toMatchObject({ code: 'sink-exists' })
  expect(filesOf(await new Replica(store).catalog())).toEqual(before)
})

/** Two prefixes of one bucket, and the requests of both. */
async function bucket(wrap: (store: BlobStore) => BlobStore = (store) => store) {
  const all = new MemoryStore()
  await upload(MODEL, withPrefix(all, 'app/'))
  const { store, requests, open } = countRequests(wrap(all))
  return { from: new Replica(withPrefix(store, 'app/')), to: withPrefix(store, 'try/'), requests, open }
}

async function expectState(target: Replica, txid: number): Promise<void> {
  const sink = new MemorySink()
  await restore(target, planRestore(await target.catalog(), { kind: 'latest' }), sink)
  expect(sink.image).toEqual(MODEL.image(txid))
}

test('W4: of a fork that the store copies only headers are read', async () => {
  const { from, to, requests } = await bucket()
  const { plan, result, target } = await fork(from, HEAD, to)
  const files = plan.files.length
  expect(files).toBeGreaterThan(1)
  expect(result.bytesCopiedByStore).toBe(result.bytes)
  expect(requests.filter(({ operation }) => operation === 'copy')).toHaveLength(files)
  expect(requests.filter(({ operation }) => operation === 'put').map(({ key }) => key)).toEqual([
    'try/.sqlstream/identity.json',
  ])
  for (const { operation, bytes } of requests) if (operation === 'get') expect(bytes).toBeLessThanOrEqual(100)
  await expectState(target, HEAD)
})

test('W4: what the store does not copy is read and put, and said', async () => {
  const { from, to } = await bucket((store) => ({
    ...countRequests(store).store,
    // The base has level 9: it is too large for this service.
    ...relayCopy(store, {
      around: async (send, key, options) => (key.includes('/9/') ? undefined : send(options)),
    }),
  }))
  const { plan, result, target } = await fork(from, HEAD, to)
  const large = plan.files.filter(({ level }) => level === 9).reduce((sum, { size }) => sum + size, 0)
  expect(result.bytesCopiedByStore).toBe(result.bytes - large)
  await expectState(target, HEAD)
  const strangers = await fork(from, HEAD, countRequests(withoutCopy(new MemoryStore())).store)
  expect(strangers.result.bytesCopiedByStore).toBe(0)
  await expectState(strangers.target, HEAD)
})

test('W4: a copy without an answer is read back, and an object of somebody else is left alone', async () => {
  const lost = await bucket((store) =>
    withFaults(store, [{ operation: 'copy', at: [1, 3], fault: 'applied-but-failed' }]),
  )
  const { result, target } = await fork(lost.from, HEAD, lost.to)
  expect(result.bytesCopiedByStore).toBeLessThan(result.bytes)
  await expectState(target, HEAD)
  expect(lost.open.size).toBe(0)

  const { from, to } = await bucket()
  const plan = planRestore(await from.catalog(), { kind: 'latest' })
  const last = plan.files.at(-1)!
  const writer = new Replica(to).writer(assumeSoleWriter('test'))
  const copyOf = { store: from.store, key: last.key }
  const options = { timestamp: last.timestamp ?? new Date(0), copyOf }
  const body = { size: last.size, open: () => from.open(last) }
  await to.put(last.key, Uint8Array.of(1))
  await expect(writer.put(last.level, last, body, options)).rejects.toMatchObject({ code: 'fenced' })
  expect((await to.head(last.key)).size).toBe(1)
})

function withoutCopy(store: BlobStore): BlobStore {
  return {
    driver: store.driver,
    capabilities: store.capabilities,
    list: (options) => store.list(options),
    head: (key, options) => store.head(key, options),
    get: (key, options) => store.get(key, options),
    put: (key, body, options) => store.put(key, body, options),
    delete: (keys, options) => store.delete(keys, options),
    [Symbol.asyncDispose]: async () => {},
  }
}
