import { toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import {
  assumeSoleWriter,
  compact,
  createRetentionPolicy,
  headOf,
  planRestore,
  Replica,
  type RestorePlan,
  retain,
} from '../src/index.ts'
import { Model, pageOf, timeOf } from './model.ts'
import { at, lookAt } from './retention-replica.ts'

const LEASE = assumeSoleWriter('test')
const PAGE_SIZE = 512
/** A transaction a second; a snapshot about every 20 s. */
const COMPACTION = { levels: { every: [3_000, 12_000] }, snapshots: { growth: 1e9, maxAge: 20_000 } }

/** Beside captures of the last 2 s: what lasts as long as the tests. */
export const KEEP = { every: 12_000, for: 3_600_000 }

/** A replica that is written to, merged and thinned out by each tick, which is a second. */
export class BusyReplica {
  readonly model = new Model(PAGE_SIZE)
  readonly store: BlobStore
  readonly replica: Replica
  removed = 0
  readonly #hasProofs: boolean
  readonly #keep: { readonly every: number; readonly for: number }
  #ticking: Promise<void> = Promise.resolve()

  constructor(
    keep: { readonly every: number; readonly for: number },
    { store, hasProofs = true }: { readonly store?: BlobStore; readonly hasProofs?: boolean } = {},
  ) {
    this.store = store ?? new MemoryStore({ now: () => at(this.model.txid) })
    this.replica = new Replica(this.store)
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
    const txid = this.#commit()
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

  /** The same for each TXID, in whatever process. */
  #commit(): number {
    const { model } = this
    const txid = model.txid + 1
    const changed = [txid % 30, (txid * 7) % 30].map(
      (n) => [n + 1, pageOf(PAGE_SIZE, txid * 100 + n)] as const,
    )
    const all = Array.from({ length: 30 }, (_, i) => [i + 1, pageOf(PAGE_SIZE, i)] as const)
    model.commit(30, new Map(txid === 1 ? all : changed))
    return txid
  }

  /** Goes on where another process ended. */
  async catchUp(): Promise<void> {
    const head = headOf(await this.replica.catalog()) ?? 0n
    while (this.model.txid < head) this.#commit()
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
