import type { TXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createCatalog,
  type Doomed,
  type LTXFile,
  planRestore,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
  restorableTXIDs,
  withoutRemains,
} from '../src/index.ts'
import { POLICIES, promisedOf, ReplicaModel, STEPS, type Step } from './retention-model.ts'

/** One replica under retention, and what must hold after every run. */
class Schedule {
  readonly model = new ReplicaModel()
  doomed: Doomed = new Map()
  removed = 0
  /** Promised, or pinned, whenever retention ran since they exist. */
  #owed = new Set<TXID>()
  #dropped = new Set<TXID>()
  /** Since when a file has been unneeded in every run, by the clock of the first of them. */
  #unneeded = new Map<string, number>()

  retain(policy: RetentionPolicy, step: Extract<Step, { kind: 'retain' }>): void {
    const { model } = this
    model.now += step.after * 1000
    const points = restorableTXIDs(model.catalog)
    const pinned = new Set(step.pin === undefined ? [] : points.slice(step.pin, step.pin + 1))
    const plan = this.#plan(policy, pinned)
    const owed = this.#owe(policy, points, pinned)
    this.#checkGrace(plan, policy)
    // The record is written first; then files are removed, until the process dies.
    this.doomed = plan.doomed
    const snapshots = snapshotsOf(model.files).slice(0, policy.minSnapshots)
    this.#remove(plan.remove.slice(0, step.dieAfter))
    expect(snapshotsOf(model.files).slice(0, policy.minSnapshots)).toEqual(snapshots)
    const left = new Set(restorableTXIDs(model.catalog))
    for (const txid of owed) expect(left.has(txid), `${txid} is promised`).toBe(true)
    this.#checkInstants(owed)
    if (step.dieAfter >= plan.remove.length) this.#checkSettled(policy, pinned)
  }

  /** A restore to the instant of a promised state gives that one, or, where clocks went back, a later one. */
  #checkInstants(owed: ReadonlySet<TXID>): void {
    const { model } = this
    if (model.hasHoles) return
    const avoid = new Set(this.doomed.keys())
    const catalog = withoutRemains(model.catalog, avoid)
    for (const txid of [...owed].slice(0, 4)) {
      const timestamp = new Date(model.history.get(txid) as number)
      const plan = planRestore(catalog, { kind: 'timestamp', timestamp }, { avoid })
      expect(plan.txid).toBeGreaterThanOrEqual(txid)
      expect(plan.timestamp?.getTime()).toBeLessThanOrEqual(timestamp.getTime())
    }
  }

  /** Everything that is unneeded goes, and the second run has nothing to do. */
  settle(policy: RetentionPolicy): void {
    for (let i = 0; i < 3; i++) {
      this.model.now += policy.grace + 1000 * 3600
      this.retain(policy, { kind: 'retain', after: 0, dieAfter: Number.POSITIVE_INFINITY, pin: undefined })
    }
    const { doom, waiting, remove, undoom, kept, unconnected } = this.#plan(policy, new Set())
    expect([doom, waiting, remove, undoom]).toEqual([[], [], [], []])
    expect(kept.length + unconnected.length).toBe(this.model.files.length)
  }

  #plan(policy: RetentionPolicy, pinned: ReadonlySet<TXID>): RetentionPlan {
    const { catalog, now } = this.model
    return planRetention({ catalog, policy, now: new Date(now), pinned, doomed: this.doomed })
  }

  /** What the history owes: see `promisedPoints` on why what was once dropped is owed no more. */
  #owe(policy: RetentionPolicy, points: readonly TXID[], pinned: ReadonlySet<TXID>): Set<TXID> {
    const { history, now } = this.model
    const promised = promisedOf(history, policy, now)
    for (const txid of history.keys()) if (!promised.has(txid)) this.#dropped.add(txid)
    this.#owed = new Set([...promised].filter((txid) => !this.#dropped.has(txid)))
    const newest = snapshotsOf(this.model.files).slice(0, policy.minSnapshots)
    return new Set([...this.#owed, ...pinned, ...newest, ...points.slice(-1)])
  }

  #checkGrace(plan: RetentionPlan, policy: RetentionPolicy): void {
    const { now } = this.model
    const unneeded = [...plan.doom, ...plan.waiting, ...plan.remove].map((file) => file.key)
    this.#unneeded = new Map(unneeded.map((key) => [key, Math.min(now, this.#unneeded.get(key) ?? now)]))
    for (const { key } of plan.remove) {
      expect(now - (this.#unneeded.get(key) as number)).toBeGreaterThanOrEqual(policy.grace)
    }
  }

  /** One file after the other; each that was connected stays so. */
  #remove(files: readonly LTXFile[]): void {
    for (const gone of files) {
      const before = connected(this.model.files)
      this.model.files = this.model.files.filter((file) => file !== gone)
      const after = connected(this.model.files)
      for (const file of before) expect(file === gone || after.has(file), `${file.key} is cut off`).toBe(true)
      this.removed++
    }
  }

  #checkSettled(policy: RetentionPolicy, pinned: ReadonlySet<TXID>): void {
    const again = this.#plan(policy, pinned)
    expect([again.doom, again.undoom, again.remove]).toEqual([[], [], []])
  }
}

/** The ends of all snapshots, newest first. */
function snapshotsOf(files: readonly LTXFile[]): TXID[] {
  const ends = new Set(files.filter((file) => file.minTXID === 1n).map((file) => file.maxTXID))
  return [...ends].sort((a, b) => (a > b ? -1 : 1))
}

/** The files that some chain uses. */
function connected(files: readonly LTXFile[]): Set<LTXFile> {
  const points = restorableTXIDs(createCatalog(files))
  return new Set(
    files.filter(
      ({ minTXID, maxTXID }) =>
        minTXID === 1n || points.some((txid) => txid + 1n >= minTXID && txid < maxTXID),
    ),
  )
}

/** Schedules are long: a failure is shown as it is after so many milliseconds of shrinking. */
const PATIENCE = { interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true }

function play(steps: readonly Step[], policyOf: (run: number) => RetentionPolicy): Schedule {
  const schedule = new Schedule()
  let runs = 0
  for (const step of steps) {
    if (step.kind === 'retain') schedule.retain(policyOf(runs++), step)
    else schedule.model.take(step)
  }
  return schedule
}

test('D1, D3, D4, D6, D7, T24: whatever happens, nothing promised or pinned goes, nothing goes before its grace, and runs settle', () => {
  let removed = 0
  fc.assert(
    fc.property(STEPS, POLICIES, (steps, policy) => {
      const schedule = play(steps, () => policy)
      schedule.settle(policy)
      removed += schedule.removed
    }),
    { numRuns: 400, ...PATIENCE },
  )
  expect(removed).toBeGreaterThan(2000)
})

test('D1, D6: whatever policies follow one another, what each of them promises never goes', () => {
  fc.assert(
    fc.property(STEPS, fc.array(POLICIES, { minLength: 2, maxLength: 4 }), (steps, policies) => {
      play(steps, (run) => policies[run % policies.length] as RetentionPolicy)
    }),
    { numRuns: 200, ...PATIENCE },
  )
})

test('D8: in append-only mode nothing is marked and nothing goes', () => {
  fc.assert(
    fc.property(STEPS, POLICIES, (steps, policy) => {
      const schedule = play(steps, () => ({ ...policy, neverDelete: true }))
      expect(schedule.removed).toBe(0)
      expect(schedule.doomed.size).toBe(0)
    }),
    { numRuns: 50, ...PATIENCE },
  )
})
