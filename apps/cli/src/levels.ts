import { type CompactionLevels, checkLevels } from '@sqlstream/replica'
import { CLIError } from './cli-error.ts'
import { parseDuration } from './duration.ts'

const HINT = 'each level is a multiple of the one before, shortest first, for example 30s,5m,1h'

/** `30s,5m,1h` as levels of merges. @throws CLIError `usage` */
export function parseLevels(text: string): CompactionLevels {
  return levelsOf(text.split(',').map((each) => each.trim()))
}

/** Durations as levels, level 1 first. @throws CLIError `usage` */
export function levelsOf(durations: readonly string[]): CompactionLevels {
  const every = durations.map(parseDuration)
  try {
    return checkLevels({ every })
  } catch (error) {
    throw new CLIError('usage', (error as RangeError).message, HINT)
  }
}
