import type { TXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Catalog,
  createCatalog,
  filesOf,
  isReplicaError,
  planRestore,
  type RestorePlan,
  restorableTXIDs,
  restore,
  verify,
} from '../src/index.ts'
import { collect } from './collect.ts'
import { Life, POLICIES, STEPS } from './lifetime-model.ts'
import { MemorySink } from './memory-sink.ts'
import { lookAt } from './retention-replica.ts'

/** docs/adr/0020 has the figures of a thousand. */
const HISTORIES = Number(process.env['SQLSTREAM_HISTORIES'] ?? 30)
const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 1_000_000)

/** Restores from a replica, and compares; what was read once is not read again. */
class Reader {
  readonly life: Life
  readonly sums = { points: 0, instants: 0, restores: 0 }
  readonly #done = new Set<string>()

  constructor(life: Life) {
    this.life = life
  }

  /** Everything that is owed comes back as it was: by its TXID, by its time, and over whichever levels lead there. */
  async check(masks: readonly number[]): Promise<void> {
    const { life } = this
    const owed = await life.owed()
    if (owed.length === 0) return
    const { catalog, avoid } = await lookAt(life.replica)
    const points = new Set(restorableTXIDs(catalog))
    for (const txid of owed) {
      expect(points.has(txid), `${txid} is promised`).toBe(true)
      await this.#compare(planRestore(catalog, { kind: 'txid', txid }, { avoid }))
      this.sums.points++
    }
    for (const mask of masks) {
      const part = createCatalog(filesOf(catalog).filter(({ level }) => (mask >> level) & 1))
      for (const txid of restorableTXIDs(part)) {
        await this.#compare(planRestore(part, { kind: 'txid', txid }))
      }
    }
    const times = owed.map((txid) => life.history.get(txid) as number)
    for (const [i, time] of times.entries()) {
      if (i % 3 === owed.length % 3) await this.#compareInstant(catalog, avoid, owed, time)
    }
    await this.#compareInstant(
      catalog,
      avoid,
      owed,
      Math.floor((Math.min(...times) + Math.max(...times)) / 2),
    )
    await this.#compareInstant(catalog, avoid, owed, life.clock)
  }

  async #compareInstant(
    listed: Catalog,
    avoid: ReadonlySet<string>,
    owed: readonly TXID[],
    time: number,
  ): Promise<void> {
    const { history, replica, isMonotone } = this.life
    const timestamp = new Date(time)
    const catalog = await replica.withTimestamps(listed, timestamp)
    const best = owed.filter((txid) => (history.get(txid) as number) <= time).at(-1)
    if (best === undefined) return
    const plan = this.#planInstant(catalog, timestamp, avoid)
    if (plan === undefined) return
    expect(plan.timestamp?.getTime()).toBeLessThanOrEqual(time)
    // States that nobody owes may still be there, and be nearer.
    if (isMonotone) expect(plan.txid).toBeGreaterThanOrEqual(best)
    expect(history.get(plan.txid)).toBe(plan.timestamp?.getTime())
    await this.#compare(plan)
    this.sums.instants++
  }

  /** Undefined where the clock went back to before the first state: then an instant may be refused although a later state fits. */
  #planInstant(catalog: Catalog, timestamp: Date, avoid: ReadonlySet<string>): RestorePlan | undefined {
    try {
      return planRestore(catalog, { kind: 'timestamp', timestamp }, { avoid })
    } catch (error) {
      if (!this.life.isMonotone && isReplicaError(error, 'target-before-first')) return undefined
      throw error
    }
  }

  async #compare(plan: RestorePlan): Promise<void> {
    const { replica, model } = this.life
    const name = plan.files.map(({ key, size, modified }) => `${key} ${size} ${modified.getTime()}`).join()
    if (this.#done.has(name)) return
    this.#done.add(name)
    const sink = new MemorySink()
    const result = await restore(replica, plan, sink)
    expect(result.proven).toBe(true)
    expect(Buffer.compare(sink.image, model.image(Number(plan.txid)))).toBe(0)
    this.sums.restores++
  }
}

test(`C2, D1, D11, T23, T24: in ${HISTORIES} lives of a replica, whatever is merged, removed and killed, what is promised comes back (seed ${SEED})`, {
  timeout: 60_000 + HISTORIES * 2000,
}, async () => {
  const sums = { steps: 0, points: 0, instants: 0, restores: 0, merges: 0, removed: 0, deaths: 0 }
  await fc.assert(
    fc.asyncProperty(
      STEPS,
      POLICIES,
      fc.array(fc.nat(1023), { minLength: 2, maxLength: 4 }),
      async (steps, policies, masks) => {
        const life = new Life(policies)
        const reader = new Reader(life)
        // Everything from some level on, as when the captures are gone, then any levels.
        const subsets = [0b1111111110, 0b1111111100, ...masks.map((mask) => mask | 0b1000000000)]
        for (const step of steps) {
          await life.take(step)
          // A commit leads nowhere over levels that others did not.
          await reader.check(step.kind === 'commit' ? [] : subsets)
          sums.steps++
        }
        const findings = await collect(verify(life.replica, { depth: 'bytes' }))
        expect(findings.filter(({ kind }) => kind === 'corrupt' || kind === 'chain-broken')).toEqual([])
        for (const [name, count] of Object.entries({ ...life.sums, ...reader.sums })) {
          sums[name as keyof typeof sums] += count
        }
      },
    ),
    {
      numRuns: HISTORIES,
      seed: SEED,
      interruptAfterTimeLimit: 50_000 + HISTORIES * 2000,
      markInterruptAsFailure: true,
    },
  )
  console.log(`${HISTORIES} lives: ${JSON.stringify(sums)}`)
  expect(sums.merges).toBeGreaterThan(HISTORIES)
  expect(sums.removed).toBeGreaterThan(HISTORIES)
  expect(sums.deaths).toBeGreaterThan(HISTORIES / 4)
})
