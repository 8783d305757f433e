import type { RetentionTier } from '@sqlstream/replica'
import { CLIError } from './cli-error.ts'
import { parseDuration, spellDuration } from './duration.ts'

const HINT = 'write <every>:<for>, for example capture:1h, 30s:24h or 1h:forever'

/** `30s:24h`, `capture:1h`, `1h:forever` as a tier of a retention policy. @throws CLIError `usage` */
export function parseKeep(text: string): RetentionTier {
  const [every, span, ...more] = text.split(':')
  if (every === undefined || span === undefined || more.length > 0) {
    throw new CLIError('usage', `not a tier: ${text}`, HINT)
  }
  return {
    every: every === 'capture' ? every : parseDuration(every),
    for: span === 'forever' ? Number.POSITIVE_INFINITY : parseDuration(span),
  }
}

/** `30s` or `every capture`. */
export function spellStep({ every }: RetentionTier): string {
  return every === 'capture' ? 'every capture' : `each ${spellDuration(every)}`
}

/** `24h` or `ever`. */
export function spellReach({ for: span }: RetentionTier): string {
  return span === Number.POSITIVE_INFINITY ? 'ever' : spellDuration(span)
}
