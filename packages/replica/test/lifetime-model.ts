import { type TXID, toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import fc from 'fast-check'
import {
  assumeSoleWriter,
  type Catalog,
  type CompactionPolicy,
  compact,
  createRetentionPolicy,
  type Doomed,
  filesOf,
  Replica,
  type RetentionPolicy,
  restorableTXIDs,
  retain,
  withFiles,
} from '../src/index.ts'
import { type DeleteOrder, dyingStore, isDeath } from './dying-store.ts'
import { Model, pageOf } from './model.ts'
import { promisedOf } from './retention-model.ts'

const SECOND = 1000
const PAGE_SIZE = 512
const LEASE = assumeSoleWriter('test')

/** What happens to a replica; times in seconds. */
export type Step =
  | {
      readonly kind: 'commit'
      /** Since the last step; negative when the clock goes back. */
      readonly after: number
      /** How long the file waits for its upload. */
      readonly upload: number
      readonly commit: number
      /** Pages to change, modulo the size; `all` as VACUUM does; none but page 1, as a transaction without effect. */
      readonly change: readonly number[] | 'all'
      /** A whole image instead of a capture, so many TXIDs above: what a writer that took over begins with. */
      readonly image: number | undefined
    }
  | {
      readonly kind: 'compact' | 'retain'
      readonly after: number
      /** From a listing, with no times, instead of with what is known. */
      readonly lists: boolean
      /** The storage call at which it ends. */
      readonly endsAt: number
      /** Then the process is gone; otherwise it goes on with what it knows. */
      readonly dies: boolean
      readonly order: DeleteOrder
    }

const after = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 3, arbitrary: fc.integer({ min: 8, max: 60 }) },
  { weight: 1, arbitrary: fc.integer({ min: -40, max: -1 }) },
)

const commit: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('commit' as const),
  after,
  upload: fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.nat(9) }),
  commit: fc.integer({ min: 1, max: 24 }),
  change: fc.oneof(
    { weight: 6, arbitrary: fc.array(fc.nat(23), { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.constant('all' as const) },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
  image: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(4) }),
})

const maintenance: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('compact' as const, 'retain' as const),
  after,
  lists: fc.boolean(),
  endsAt: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 25 })),
  dies: fc.boolean(),
  order: fc.constantFrom('ascending' as const, 'descending' as const),
})

/** Random histories. In most of them the clock never goes back: only then an instant has one answer. */
export const STEPS: fc.Arbitrary<Step[]> = fc
  .record({
    steps: fc.array(fc.oneof({ weight: 4, arbitrary: commit }, { weight: 3, arbitrary: maintenance }), {
      minLength: 6,
      maxLength: 45,
      size: 'max',
    }),
    jumps: fc.nat(3).map((dice) => dice === 0),
  })
  .map(({ steps, jumps }) => steps.map((step) => (jumps ? step : { ...step, after: Math.abs(step.after) })))

/** Each divides the next. */
const SLOTS = [3, 6, 12, 60] as const

/** What is merged when, and what is promised. */
export interface Policies {
  readonly compaction: CompactionPolicy
  readonly retention: RetentionPolicy
  /** How far the clock of the store, which listings tell, is ahead of the writer's, in seconds. */
  readonly storeAhead: number
}

export const POLICIES: fc.Arbitrary<Policies> = fc
  .record({
    levels: fc.subarray([...SLOTS], { minLength: 1 }),
    maxInputs: fc.oneof(fc.constant(200), fc.integer({ min: 2, max: 6 })),
    snapshots: fc.option(
      fc.record({
        growth: fc.double({ min: 0.3, max: 3, noNaN: true }),
        maxAge: fc.integer({ min: 10, max: 200 }),
      }),
      { nil: undefined },
    ),
    captures: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
    tiers: fc.subarray([...SLOTS], { minLength: 1 }),
    spans: fc.array(fc.integer({ min: 3, max: 90 }), { minLength: 4, maxLength: 4 }),
    grace: fc.integer({ min: 1, max: 30 }),
    minSnapshots: fc.integer({ min: 1, max: 3 }),
    storeAhead: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -15, max: 15 }) },
    ),
  })
  .map(({ levels, maxInputs, snapshots, captures, tiers, spans, grace, minSnapshots, storeAhead }) => {
    let reach = captures ?? 0
    const steps = tiers.map((every, i) => {
      reach = Math.max(reach + (spans[i] as number), every)
      return { every: every * SECOND, for: reach * SECOND }
    })
    const first = captures === undefined ? [] : [{ every: 'capture' as const, for: captures * SECOND }]
    return {
      compaction: {
        levels: { every: levels.map((every) => every * SECOND) },
        maxInputs,
        snapshots: snapshots ? { growth: snapshots.growth, maxAge: snapshots.maxAge * SECOND } : 'never',
      },
      retention: createRetentionPolicy({ keep: [...first, ...steps], grace: grace * SECOND, minSnapshots }),
      storeAhead,
    }
  })

/** One replica under its writer: captures, merges, removal, deaths; and what it owes, from its history alone. */
export class Life {
  readonly model = new Model(PAGE_SIZE)
  /** When each state was captured, by the clock of then. */
  readonly history = new Map<TXID, number>()
  clock: number = Date.UTC(2026, 0, 1)
  /** The clock never went back. */
  isMonotone = true
  readonly sums = { merges: 0, removed: 0, deaths: 0 }
  readonly replica: Replica
  readonly #store: MemoryStore
  readonly #policies: Policies
  /** What the process knows; nothing of it after a death. */
  #catalog: Catalog | undefined
  #doomed: Doomed | undefined
  /** Given up by the policy at some time: a clock that goes back does not bring it back. */
  readonly #dropped = new Set<TXID>()

  constructor(policies: Policies) {
    this.#policies = policies
    this.#store = new MemoryStore({ now: () => new Date(this.clock + policies.storeAhead * SECOND) })
    this.replica = new Replica(this.#store)
  }

  async take(step: Step): Promise<void> {
    this.#pass(step.after)
    if (step.kind === 'commit') await this.#commit(step)
    else await this.#maintain(step)
  }

  /** The states that must be there now: what the policy says of the history, and always the newest ones. */
  async owed(): Promise<TXID[]> {
    const { retention } = this.#policies
    const owed = promisedOf(this.history, retention, this.clock)
    for (const txid of this.#dropped) owed.delete(txid)
    const newest = [...this.history.keys()].at(-1)
    if (newest !== undefined) owed.add(newest)
    return [...owed]
  }

  #pass(seconds: number): void {
    if (seconds < 0) this.isMonotone = false
    this.clock += seconds * SECOND
  }

  async #commit(step: Extract<Step, { kind: 'commit' }>): Promise<void> {
    const { model } = this
    const isImage = model.txid === 0 || step.image !== undefined
    const size = model.states[model.txid]?.commit ?? 0
    // TXIDs that nobody used.
    for (let i = 0; model.txid > 0 && i < (step.image ?? 0); i++) model.commit(size, new Map())
    const { change } = step
    const commit = change.length === 0 && size > 0 ? size : step.commit
    const pgnos = change === 'all' ? Array.from({ length: commit }, (_, i) => i) : [0, ...change]
    const seed = model.txid * 1000
    model.commit(commit, new Map(pgnos.map((n) => [(n % commit) + 1, pageOf(PAGE_SIZE, seed + n)])))
    const max = model.txid
    const min = isImage ? 1 : max
    const timestamp = new Date(this.clock)
    this.#pass(step.upload)
    const range = { minTXID: toTXID(min), maxTXID: toTXID(max) }
    const bytes = model.file(min, max, { timestamp: timestamp.getTime() })
    const file = await this.replica.writer(LEASE).put(isImage ? 9 : 0, range, bytes, { timestamp })
    this.history.set(file.maxTXID, timestamp.getTime())
    if (this.#catalog) this.#catalog = withFiles(this.#catalog, [file])
  }

  async #maintain(step: Exclude<Step, { kind: 'commit' }>): Promise<void> {
    if (step.lists) {
      this.#catalog = undefined
      this.#doomed = undefined
    }
    const replica = new Replica(dyingStore(this.#store, step.endsAt, step.order))
    try {
      if (step.kind === 'compact') await this.#compact(replica)
      else await this.#retain(replica)
    } catch (error) {
      if (!isDeath(error)) throw error
      this.sums.deaths++
      if (!step.dies) return
      this.#catalog = undefined
      this.#doomed = undefined
    }
  }

  async #compact(replica: Replica): Promise<void> {
    const catalog = this.#catalog ?? (await replica.catalog())
    this.#catalog = catalog
    const before = restorableTXIDs(await this.replica.catalog())
    const result = await compact(replica, replica.writer(LEASE), catalog, {
      policy: this.#policies.compaction,
      now: () => this.clock,
      onMerged: ({ file }) => {
        this.sums.merges++
        this.#catalog = withFiles(this.#catalog as Catalog, [file])
      },
    })
    this.#catalog = result.catalog
    const now = restorableTXIDs(await this.replica.catalog())
    if (`${now}` !== `${before}`) throw new Error(`${before} became ${now}`)
  }

  async #retain(replica: Replica): Promise<void> {
    const { retention } = this.#policies
    const promised = promisedOf(this.history, retention, this.clock)
    for (const txid of this.history.keys()) if (!promised.has(txid)) this.#dropped.add(txid)
    const before = await this.replica.catalog()
    const result = await retain(replica, LEASE, retention, {
      now: new Date(this.clock),
      catalog: this.#catalog,
      doomed: this.#doomed,
      onRemoved: (files) => {
        this.sums.removed += files.length
      },
    })
    this.#catalog = result.catalog
    this.#doomed = result.doomed
    if (filesOf(before).length === 0) return
    expectNewestSnapshots(before, await this.replica.catalog(), retention.minSnapshots)
  }
}

/** The newest snapshots are never given up. */
function expectNewestSnapshots(before: Catalog, after: Catalog, count: number): void {
  const [were, are] = [before, after].map((catalog) =>
    filesOf(catalog)
      .filter(({ minTXID }) => minTXID === 1n)
      .map(({ maxTXID }) => maxTXID)
      .sort((a, b) => (a > b ? -1 : 1)),
  ) as [TXID[], TXID[]]
  for (const txid of new Set(were)) {
    if ([...new Set(were)].indexOf(txid) < count && !are.includes(txid)) throw new Error(`${txid} is gone`)
  }
}
