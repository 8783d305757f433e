import { toTXID } from '@sqlstream/ltx'
import { type BlobStore, getBytes, MemoryStore, StorageError } from '@sqlstream/storage'
import { beforeEach, expect, test } from 'vitest'
import { planRestore, Replica, restore } from '../src/index.ts'
import { MemorySink } from './memory-sink.ts'
import { Model, pageOf, put } from './model.ts'

const BASE = 'ltx/9/0000000000000001-0000000000000008.ltx'

let model: Model
let store: BlobStore

/** An old snapshot and a new one; the captures between them were removed. */
beforeEach(async () => {
  model = new Model(512)
  store = new MemoryStore()
  const replica = new Replica(store)
  for (let txid = 1; txid <= 10; txid++) {
    // Later ones change little, so that the base is needed.
    const pgnos = txid <= 8 ? [1, 2, 3, 4, 5, 6] : [1]
    model.commit(6, new Map(pgnos.map((pgno) => [pgno, pageOf(512, txid * 10 + pgno)])))
  }
  await put(replica, 9, 1, 2, model.file(1, 2))
  await put(replica, 9, 1, 8, model.file(1, 8))
  for (const txid of [9, 10]) await put(replica, 0, txid, txid, model.file(txid, txid))
})

async function replaceBase(change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  await store.put(BASE, change((await getBytes(store, BASE)).slice()))
}

test.each<[string, () => Promise<void>, readonly string[]]>([
  ['is empty', () => replaceBase(() => new Uint8Array(0)), ['corrupt', 'gap']],
  ['is cut', () => replaceBase((bytes) => bytes.subarray(0, bytes.byteLength >>> 1)), ['corrupt']],
  ['is no LTX file', () => replaceBase(() => new Uint8Array(5000).fill(60)), ['corrupt']],
  [
    'has a wrong byte',
    () => replaceBase((bytes) => bytes.fill(7, bytes.length >>> 1, (bytes.length >>> 1) + 1)),
    ['corrupt'],
  ],
  ['is gone', () => store.delete([BASE]), ['gap']],
  [
    'has another ending',
    async () => {
      await store.put(`${BASE}.lz4`, await getBytes(store, BASE))
      await store.delete([BASE])
    },
    ['gap'],
  ],
  [
    'may not be read',
    async () => {
      const get = store.get.bind(store)
      store.get = async (key, options) => {
        if (key !== BASE) return await get(key, options)
        throw new StorageError('no', { code: 'permission-denied', driver: 'memory', operation: 'get', key })
      }
    },
    ['permission-denied'],
  ],
])('T54: where the newest snapshot %s, no older one takes its place in silence', async (_, damage, codes) => {
  await damage()
  const replica = new Replica(store)
  const sink = new MemorySink()
  const outcome = await replica
    .catalog()
    .then((catalog) => restore(replica, planRestore(catalog, { kind: 'latest' }), sink))
    .catch((error: unknown) => error)
  expect(codes, `${outcome}`).toContain((outcome as { code?: string }).code)
  expect(sink.result).toBeUndefined()
  // Whoever asks for the older state by its name gets it.
  const old = new MemorySink()
  await restore(replica, planRestore(await replica.catalog(), { kind: 'txid', txid: toTXID(2) }), old)
  expect(Buffer.compare(old.image, model.image(2))).toBe(0)
})

test('T54: a snapshot that is lost is no loss where captures lead to the same state', async () => {
  const replica = new Replica(store)
  for (let txid = 3; txid <= 8; txid++) await put(replica, 0, txid, txid, model.file(txid, txid))
  await store.delete([BASE])
  const sink = new MemorySink()
  await restore(replica, planRestore(await replica.catalog(), { kind: 'latest' }), sink)
  expect(Buffer.compare(sink.image, model.image(10))).toBe(0)
})
