import type { RestorePoint } from '@sqlstream/replica'
import type { AgeJSON } from './replica-schema.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const AGES: readonly (number | undefined)[] = [HOUR, DAY, 7 * DAY, 30 * DAY, undefined]

/** How many states of which age can be restored, and how far apart they mostly are. Ages without a state are left out. */
export function granularity(points: readonly RestorePoint[], now: Date): AgeJSON[] {
  const steps = AGES.map((): number[] => [])
  const counts = AGES.map(() => 0)
  for (const [i, { time }] of points.entries()) {
    const age = now.getTime() - time.getTime()
    const band = AGES.findIndex((upTo) => upTo === undefined || age <= upTo)
    counts[band] = (counts[band] ?? 0) + 1
    const before = points[i - 1]
    // Where a clock went back there is no step.
    if (before) steps[band]?.push(Math.max(0, time.getTime() - before.time.getTime()))
  }
  return AGES.flatMap((upToMs, band) => {
    const states = counts[band] ?? 0
    if (states === 0) return []
    const median = middleOf(steps[band] ?? [])
    return {
      ...(upToMs === undefined ? {} : { upToMs }),
      states,
      ...(median === undefined ? {} : { medianStepMs: median }),
    }
  })
}

function middleOf(values: number[]): number | undefined {
  return values.sort((a, b) => a - b)[(values.length - 1) >>> 1]
}
