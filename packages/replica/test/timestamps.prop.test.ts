import { createHeader, toTXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createCatalog,
  isReplicaError,
  type LTXFile,
  ltxKey,
  planRestore,
  restorableTXIDs,
} from '../src/index.ts'
import { readTimestamps } from '../src/timestamps.ts'

/** Steps of the clock between transactions, merges `[level, min, max]` and which captures were retired. */
const HISTORY = fc.record({
  steps: fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 40 }),
  merges: fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(39), fc.nat(39)), { maxLength: 12 }),
  retired: fc.uniqueArray(fc.nat(39), { maxLength: 40 }),
  wishes: fc.array(fc.integer({ min: -1000, max: 130_000 }), { minLength: 5, maxLength: 20 }),
})

test('P4, T24: any instant gives the last kept state at or before it, or says why not, after few header reads', async () => {
  let answers = 0
  await fc.assert(
    fc.asyncProperty(HISTORY, async ({ steps, merges, retired, wishes }) => {
      const times = steps.map((_, i) => steps.slice(1, i + 1).reduce((sum, step) => sum + step, 0))
      const last = times.length
      const gone = new Set(retired)
      const files = times.flatMap((_, i) => (gone.has(i) ? [] : [file(0, i + 1, i + 1)]))
      files.push(file(9, 1, 1))
      for (const [level, a, b] of merges) {
        const min = level === 9 ? 1 : (Math.min(a, b) % last) + 1
        files.push(file(level, min, Math.max(min, (Math.max(a, b) % last) + 1)))
      }
      const catalog = createCatalog(files)
      const points = restorableTXIDs(catalog).map(Number)
      const ends = [...new Set(files.map(({ maxTXID }) => Number(maxTXID)))].sort((a, b) => a - b)
      for (const wish of wishes) {
        let reads = 0
        const timed = await readTimestamps(catalog, new Date(wish), async ({ minTXID, maxTXID }) => {
          reads++
          const timestamp = times[Number(maxTXID) - 1] as number
          return createHeader({ minTXID, maxTXID, timestamp, pageSize: 512, commit: 1 })
        })
        expect(reads).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(ends.length + 1)) + 2)

        const kept = ends.findLast((txid) => (times[txid - 1] as number) <= wish)
        const next = ends.find((txid) => kept !== undefined && txid > kept)
        const connects = files.some(
          ({ minTXID, maxTXID }) => kept !== undefined && minTXID <= kept + 1 && maxTXID > kept,
        )
        const outcome = attempt(() => planRestore(timed, { kind: 'timestamp', timestamp: new Date(wish) }))
        if (kept === undefined) expect(isReplicaError(outcome, 'target-before-first')).toBe(true)
        else if (points.includes(kept) && (next === undefined || connects)) {
          const time = times[kept - 1] as number
          expect(outcome).toMatchObject({
            txid: BigInt(kept),
            timestamp: new Date(time),
            distanceMs: wish - time,
          })
          answers++
        } else expect(isReplicaError(outcome, 'gap')).toBe(true)
      }
    }),
    { numRuns: 200 },
  )
  expect(answers).toBeGreaterThan(500)
})

test('P4: where files are uploaded soon after their commit, three headers are enough, however many files there are', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.integer({ min: 0, max: 5_100_000 }), { minLength: 5, maxLength: 10 }),
      async (count, delay, wishes) => {
        const files = Array.from({ length: count }, (_, i) => {
          return { ...file(i === 0 ? 9 : 0, i + 1, i + 1), modified: new Date(i * 1000 + delay) }
        })
        const catalog = createCatalog(files)
        // An instant before the first upload may be that of files that were copied here later: other rules apply.
        for (const wish of wishes.map((each) => each + delay)) {
          let reads = 0
          const timed = await readTimestamps(catalog, new Date(wish), async ({ minTXID, maxTXID }) => {
            reads++
            const timestamp = (Number(maxTXID) - 1) * 1000
            return createHeader({ minTXID, maxTXID, timestamp, pageSize: 512, commit: 1 })
          })
          expect(reads).toBeLessThanOrEqual(3)
          const plan = planRestore(timed, { kind: 'timestamp', timestamp: new Date(wish) })
          expect(plan.txid).toBe(BigInt(Math.min(count, Math.floor(wish / 1000) + 1)))
        }
      },
    ),
    { numRuns: 30 },
  )
})

function file(level: number, min: number, max: number): LTXFile {
  const range = { minTXID: toTXID(min), maxTXID: toTXID(max) }
  return { ...range, level, key: ltxKey('plain', level, range), size: 1000, modified: new Date(0) }
}

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
