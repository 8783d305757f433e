import { type TXID, toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import {
  type Catalog,
  createRetentionPolicy,
  planRestore,
  type Replica,
  readDoomed,
  restore,
  withoutRemains,
} from '../src/index.ts'
import { collect } from './collect.ts'
import { MemorySink } from './memory-sink.ts'
import { Model, pageOf, put, timeOf, upload } from './model.ts'

/** Every capture for 5 s, then one each 4 s for a minute; 10 s of grace. */
export const POLICY = createRetentionPolicy({
  keep: [
    { every: 'capture', for: 5_000 },
    { every: 4_000, for: 60_000 },
  ],
  grace: 10_000,
  minSnapshots: 1,
})

/** Seconds of the model's clock, which gives transaction n the second n. */
export function at(second: number): Date {
  return new Date(timeOf(second))
}

/** A store that received everything in the second 20, as its listings say: the times of states are in the headers alone. */
export function memoryStore(): MemoryStore {
  return new MemoryStore({ now: () => at(20) })
}

/** Twenty transactions, captured, merged by four, with snapshots at 1, 9 and 17. */
export async function busyReplica(store: BlobStore = memoryStore()): Promise<{
  replica: Replica
  model: Model
}> {
  const model = new Model(512)
  for (let txid = 1; txid <= 20; txid++) {
    model.commit(3, new Map([[(txid % 3) + 1, pageOf(512, txid)]]))
  }
  const replica = await upload(model, store)
  // The model's second n is in the slot floor(n / 4): 4..7, 8..11, ...
  for (let min = 4; min <= 16; min += 4) await put(replica, 1, min, min + 3, model.file(min, min + 3))
  for (const max of [9, 17]) await put(replica, 9, 1, max, model.file(1, max))
  return { replica, model }
}

/** The database at a TXID, as a reader restores it who knows what will be removed. */
export async function imageAt(replica: Replica, txid: TXID): Promise<Uint8Array> {
  const { catalog, avoid } = await lookAt(replica)
  const sink = new MemorySink()
  await restore(replica, planRestore(catalog, { kind: 'txid', txid }, { avoid }), sink)
  return sink.image
}

/** What a reader works from who knows what will be removed. */
export async function lookAt(replica: Replica): Promise<{ catalog: Catalog; avoid: ReadonlySet<string> }> {
  const { doomed } = await readDoomed(replica.store)
  const avoid = new Set(doomed.keys())
  return { catalog: withoutRemains(await replica.catalog(), avoid), avoid }
}

/** All keys of a store. */
export async function keysOf(store: BlobStore): Promise<string[]> {
  return (await collect(store.list())).map(({ key }) => key)
}

/** A copy of everything in a store. */
export async function copyOf(store: BlobStore): Promise<MemoryStore> {
  const copy = memoryStore()
  for (const { key } of await collect(store.list())) {
    const bytes = Buffer.concat(await collect((await store.get(key)).body))
    await copy.put(key, bytes)
  }
  return copy
}

/** A TXID from a number. */
export function txidOf(value: number): TXID {
  return toTXID(BigInt(value))
}
