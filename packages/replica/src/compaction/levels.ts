/** How far apart the states are to which the files of a merged level lead. */
export interface CompactionLevels {
  /** Milliseconds per level, from level 1 on; each a multiple of the one before. */
  readonly every: readonly number[]
}

/** Levels 1, 2 and 3: 30 seconds, 5 minutes, 1 hour. */
export const DEFAULT_LEVELS: CompactionLevels = { every: [30_000, 300_000, 3_600_000] }

/** Level 9 is for snapshots. */
const MOST_LEVELS = 8

/**
 * Levels as given. Slots begin at 00:00 UTC and a slot of a level is made of whole slots of the level below, so that what one
 * level keeps is among what the level below has.
 *
 * Throws RangeError for more than 8 levels, one that is no whole number of milliseconds from 1, or no multiple of the one below.
 */
export function checkLevels(levels: CompactionLevels): CompactionLevels {
  const { every } = levels
  if (every.length > MOST_LEVELS) {
    throw new RangeError(
      `${every.length} levels of merges; there can be ${MOST_LEVELS}, and level 9 holds snapshots`,
    )
  }
  for (const [i, ms] of every.entries()) {
    const below = every[i - 1]
    if (!Number.isSafeInteger(ms) || ms < 1) throw new RangeError(`level ${i + 1}: ${ms} ms is no time`)
    if (below === undefined) continue
    if (ms <= below || ms % below !== 0) {
      throw new RangeError(`level ${i + 1}: ${ms} ms is not a multiple of the ${below} ms of level ${i}`)
    }
  }
  return levels
}
