import { toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
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
