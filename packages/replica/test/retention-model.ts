import { type TXID, toTXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import {
  type Catalog,
  createCatalog,
  createRetentionPolicy,
  type LTXFile,
  ltxKey,
  type RetentionPolicy,
  restorableTXIDs,
} from '../src/index.ts'

const SECOND = 1000

/** What happens to a replica; times in seconds. */
export type Step =
  /** A transaction so long after the last step; negative when the clock goes back. `lost` ones never arrive. */
  | { readonly kind: 'capture'; readonly after: number; readonly size: number; readonly lost: boolean }
  /** What is complete in the level below becomes merges, one a slot. */
  | { readonly kind: 'merge'; readonly level: 1 | 2 | 3 }
  /** An image of the newest state. */
  | { readonly kind: 'snapshot' }
  /** Retention, so long after the last step; dies after so many removals. `pin` picks a state. */
  | {
      readonly kind: 'retain'
      readonly after: number
      readonly dieAfter: number
      readonly pin: number | undefined
    }

const after = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 3, arbitrary: fc.integer({ min: 40, max: 900 }) },
  { weight: 1, arbitrary: fc.integer({ min: -900, max: -1 }) },
)

/** Random histories: mostly captures, now and then the rest. */
export const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('capture' as const),
        after,
        size: fc.integer({ min: 200, max: 2_000_000 }),
        lost: fc.integer({ min: 0, max: 59 }).map((dice) => dice === 0),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('merge' as const),
        level: fc.constantFrom(1 as const, 2 as const, 3 as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('retain' as const),
        after,
        dieAfter: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(5)),
        pin: fc.option(fc.nat(30), { nil: undefined }),
      }),
    },
  ),
  { minLength: 5, maxLength: 90, size: 'max' },
)

/** Steps of the merges of levels 1 to 3, which the policies below have as well. */
const SLOTS = [30, 60, 300] as const

/** Policies of one to four tiers. */
export const POLICIES: fc.Arbitrary<RetentionPolicy> = fc
  .record({
    captures: fc.option(fc.integer({ min: 10, max: 120 })),
    tiers: fc.subarray([...SLOTS], { minLength: 1 }),
    spans: fc.array(fc.integer({ min: 300, max: 900 }), { minLength: 3, maxLength: 3 }),
    grace: fc.integer({ min: 1, max: 300 }),
    minSnapshots: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ captures, tiers, spans, grace, minSnapshots }) => {
    let reach = 0
    const steps = tiers.map((every, i) => {
      reach += spans[i] as number
      return { every: every * SECOND, for: reach * SECOND }
    })
    const first = captures === null ? [] : [{ every: 'capture' as const, for: captures * SECOND }]
    return createRetentionPolicy({ keep: [...first, ...steps], grace: grace * SECOND, minSnapshots })
  })

/** A replica as its listing shows it, and everything that could ever be restored from it. */
export class ReplicaModel {
  files: LTXFile[] = []
  /** Milliseconds. */
  now: number = Date.UTC(2026, 0, 1)
  /** Each state that was ever restorable, with the time of its capture. */
  readonly history = new Map<TXID, number>()
  /** Some capture never arrived. */
  hasHoles = false
  readonly #times = new Map<TXID, number>()
  #newest = 0n

  constructor() {
    this.#capture(5000, false)
    this.snapshot()
    this.#remember()
  }

  get catalog(): Catalog {
    return createCatalog(this.files)
  }

  /** Everything but `retain`. */
  take(step: Exclude<Step, { kind: 'retain' }>): void {
    switch (step.kind) {
      case 'capture':
        this.now += step.after * SECOND
        this.#capture(step.size, step.lost)
        break
      case 'merge':
        this.#merge(step.level)
        break
      case 'snapshot':
        this.snapshot()
        break
    }
    this.#remember()
  }

  #remember(): void {
    for (const txid of restorableTXIDs(this.catalog)) {
      if (!this.history.has(txid)) this.history.set(txid, this.#times.get(txid) as number)
    }
  }

  snapshot(): void {
    this.#add(9, 1n, this.#newest, 5000 + this.files.length)
  }

  #capture(size: number, lost: boolean): void {
    this.#newest++
    this.#times.set(toTXID(this.#newest), this.now)
    if (lost) this.hasHoles = true
    else this.#add(0, this.#newest, this.#newest, size)
  }

  /** Merges what follows the level's last file, without a hole, cut where the slot changes; the last slot may go on. */
  #merge(level: 1 | 2 | 3): void {
    const end = this.files.reduce(
      (max, file) => (file.level === level && file.maxTXID > max ? file.maxTXID : max),
      1n,
    )
    const sources = this.catalog.levels.get(level - 1)?.filter((file) => file.minTXID > end) ?? []
    let open: LTXFile[] = []
    for (const [i, file] of sources.entries()) {
      const last = open[open.length - 1]
      if (last && file.minTXID !== last.maxTXID + 1n) open = []
      open.push(file)
      const next = sources[i + 1]
      if (next && this.#slot(next, level) !== this.#slot(file, level)) {
        const size = Math.max(200, Math.round(open.reduce((sum, each) => sum + each.size, 0) * 0.8))
        this.#add(level, (open[0] as LTXFile).minTXID, file.maxTXID, size)
        open = []
      }
    }
  }

  #slot(file: LTXFile, level: 1 | 2 | 3): number {
    return Math.floor((file.timestamp as Date).getTime() / ((SLOTS[level - 1] as number) * SECOND))
  }

  #add(level: number, min: bigint, max: bigint, size: number): void {
    const range = { minTXID: toTXID(min), maxTXID: toTXID(max) }
    const key = ltxKey('plain', level, range)
    if (this.files.some((file) => file.key === key)) return
    const timestamp = new Date(this.#times.get(range.maxTXID) as number)
    this.files.push({ ...range, key, level, size, timestamp, modified: new Date(this.now) })
  }
}

/** What a policy promises of a history, word by word from its definition. */
export function promisedOf(
  history: ReadonlyMap<TXID, number>,
  policy: RetentionPolicy,
  now: number,
): Set<TXID> {
  const promised = new Set<TXID>()
  for (const [txid, time] of history) {
    for (const { every, for: span } of policy.keep) {
      if (every === 'capture') {
        if (now - time <= span) promised.add(txid)
        continue
      }
      const slot = Math.floor(time / every)
      const isLast = ![...history].some(
        ([other, otherTime]) => other > txid && Math.floor(otherTime / every) === slot,
      )
      // Until the whole slot is older.
      if (isLast && now - (slot + 1) * every < span) promised.add(txid)
    }
  }
  return promised
}
