import { toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import {
  assumeSoleWriter,
  compact,
  createRetentionPolicy,
  isReplicaError,
  pin,
  planRestore,
  Replica,
  type RestorePlan,
  type RestoreResult,
  restore,
  retain,
} from '../src/index.ts'
import { MemorySink } from './memory-sink.ts'
import { Model, pageOf, timeOf } from './model.ts'
import { at, keysOf, lookAt, txidOf } from './retention-replica.ts'

const LEASE = assumeSoleWriter('test')
const PAGE_SIZE = 512
/** A transaction a second; a snapshot about every 20 s. */
const COMPACTION = { levels: { every: [3_000, 12_000] }, snapshots: { growth: 1e9, maxAge: 20_000 } }

/** A replica that is written to, merged and thinned out by each tick, which is a second. */
class BusyReplica {
  readonly model = new Model(PAGE_SIZE)
  readonly store = new MemoryStore({ now: () => at(this.model.txid) })
  readonly replica = new Replica(this.store)
  removed = 0
  readonly #hasProofs: boolean
  readonly #keep: { readonly every: number; readonly for: number }
  #ticking: Promise<void> = Promise.resolve()

  constructor(hasProofs: boolean, keep: { readonly every: number; readonly for: number }) {
    this.#hasProofs = hasProofs
    this.#keep = keep
  }

  /** One after the other. */
  tick(): Promise<void> {
    this.#ticking = this.#ticking.then(() => this.#tick())
    return this.#ticking
  }

  async #tick(): Promise<void> {
    const { model, replica } = this
    const txid = model.txid + 1
    const changed = [txid % 30, (txid * 7) % 30].map(
      (n) => [n + 1, pageOf(PAGE_SIZE, txid * 100 + n)] as const,
    )
    const all = Array.from({ length: 30 }, (_, i) => [i + 1, pageOf(PAGE_SIZE, i)] as const)
    model.commit(30, new Map(txid === 1 ? all : changed))
    const bytes = model.file(txid, txid, { proof: this.#hasProofs })
    const timestamp = new Date(timeOf(txid))
    const range = { minTXID: toTXID(txid), maxTXID: toTXID(txid) }
    await replica.writer(LEASE).put(txid === 1 ? 9 : 0, range, bytes, { timestamp })
    await compact(replica, replica.writer(LEASE), await replica.catalog(), {
      policy: COMPACTION,
      now: () => timestamp.getTime(),
    })
    const policy = createRetentionPolicy({
      keep: [{ every: 'capture', for: 2_000 }, this.#keep],
      grace: 1_000,
      minSnapshots: 1,
    })
    const { removed } = await retain(replica, LEASE, policy, { now: timestamp })
    this.removed += removed.length
  }

  async run(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) await this.tick()
  }

  /** The same objects, for a reader so slow that several seconds pass before each answer. */
  slowly(seconds: number): Replica {
    const inner = this.store
    const store: BlobStore = {
      driver: inner.driver,
      capabilities: inner.capabilities,
      list: inner.list.bind(inner),
      head: inner.head.bind(inner),
      get: async (key, options) => {
        await this.run(seconds)
        return await inner.get(key, options)
      },
      put: inner.put.bind(inner),
      delete: inner.delete.bind(inner),
      [Symbol.asyncDispose]: async () => {},
    }
    return new Replica(store)
  }

  /** What a restore to an instant would read now. */
  async planAt(second: number): Promise<RestorePlan> {
    const timestamp = at(second)
    const { catalog, avoid } = await lookAt(this.replica)
    const timed = await this.replica.withTimestamps(catalog, timestamp)
    return planRestore(timed, { kind: 'timestamp', timestamp }, { avoid })
  }
}

/** A slow restore, and how many files of its plan were removed under it. */
async function restoreSlowly(
  busy: BusyReplica,
  plan: RestorePlan,
): Promise<{ sink: MemorySink; result: RestoreResult; gone: number }> {
  const sink = new MemorySink()
  const result = await restore(busy.slowly(40), plan, sink)
  const keys = new Set(await keysOf(busy.store))
  return { sink, result, gone: plan.files.filter(({ key }) => !keys.has(key)).length }
}

describe.each([
  { mode: 'page by page', hasProofs: true },
  { mode: 'file by file', hasProofs: false },
])('T23: a slow restore $mode, while merges and removal go on at full speed', ({ hasProofs }) => {
  test('gives the promised state of its instant, although most files of its plan go', async () => {
    const busy = new BusyReplica(hasProofs, { every: 12_000, for: 3_600_000 })
    await busy.run(59)
    // The last state of the slot 48 to 59, which is about to be merged.
    const plan = await busy.planAt(59)
    expect(plan.txid).toBe(59n)
    const started = busy.model.txid
    const { sink, result, gone } = await restoreSlowly(busy, plan)
    expect(Buffer.compare(sink.image, busy.model.image(59))).toBe(0)
    expect(result).toMatchObject({ pos: { txid: 59n }, proven: hasProofs })
    // It took three times as long as it is from snapshot to snapshot.
    expect(busy.model.txid - started).toBeGreaterThan(60)
    expect(gone).toBeGreaterThan(plan.files.length / 2)
  })

  test('gives a state that is promised to nobody else, if it is pinned', async () => {
    const busy = new BusyReplica(hasProofs, { every: 3_000, for: 6_000 })
    await busy.run(58)
    const plan = await busy.planAt(57)
    await pin(busy.store, { id: 'restore', txid: plan.txid, reason: 'test', expires: at(100_000) })
    const { sink, result, gone } = await restoreSlowly(busy, plan)
    expect(Buffer.compare(sink.image, busy.model.image(57))).toBe(0)
    expect(result.pos.txid).toBe(57n)
    expect(gone).toBeGreaterThan(0)
    expect(busy.removed).toBeGreaterThan(100)
  })

  test('says that its state is gone, if nothing holds it, and never gives another one', async () => {
    const busy = new BusyReplica(hasProofs, { every: 3_000, for: 6_000 })
    await busy.run(58)
    const plan = await busy.planAt(55)
    expect(plan.txid).toBe(txidOf(55))
    const sink = new MemorySink()
    const outcome = await restore(busy.slowly(5), plan, sink).catch((error: unknown) => error)
    expect(isReplicaError(outcome), `${outcome}`).toBe(true)
    expect(['txid-not-restorable', 'target-before-first', 'no-snapshot', 'gap']).toContain(
      isReplicaError(outcome) ? outcome.code : '',
    )
    expect(sink.result).toBeUndefined()
  })
})
