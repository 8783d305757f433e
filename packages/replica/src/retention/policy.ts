import { ReplicaError } from '../errors.ts'

/** One step of what stays restorable: how dense, and for how long. */
export interface RetentionTier {
  /**
   * `capture`: every state that was ever captured. A number: the last state of each slot of so many milliseconds, from 1. Slots are
   * absolute, floor(time / every) in UTC, so that merges which are cut at the same instants end at these states.
   */
  readonly every: 'capture' | number
  /** Up to which age of a state, in milliseconds; Infinity is for ever. */
  readonly for: number
}

/** What must stay restorable. Files follow from it; nobody counts files or snapshots. */
export interface RetentionPolicy {
  /** From the youngest states to the oldest: each tier is coarser than the one before and reaches further back. */
  readonly keep: readonly RetentionTier[]
  /**
   * How long a file stays after it has become unneeded, in milliseconds, from 1. It must exceed the longest restore: who planned
   * with the file before still finds it.
   */
  readonly grace: number
  /** The states of so many newest snapshots stay restorable at any age. From 1. */
  readonly minSnapshots: number
  /** Nothing is ever deleted: an append-only store, or one that expires objects by rules of its own. */
  readonly neverDelete: boolean
}

/** What a policy is made of; what is left out has the default of `DEFAULT_RETENTION`. */
export type RetentionPolicyInit = {
  readonly [Key in keyof RetentionPolicy]?: RetentionPolicy[Key] | undefined
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Every capture for an hour, 30 s steps for a day, 5 min for a week, 1 h for 30 days; 1 h of grace; 2 snapshots at least. */
export const DEFAULT_RETENTION: RetentionPolicy = {
  keep: [
    { every: 'capture', for: HOUR },
    { every: 30 * SECOND, for: DAY },
    { every: 5 * MINUTE, for: 7 * DAY },
    { every: HOUR, for: 30 * DAY },
  ],
  grace: HOUR,
  minSnapshots: 2,
  neverDelete: false,
}

/** A complete policy. Throws ReplicaError `bad-policy` with the number of the tier that is wrong. */
export function createRetentionPolicy(init: RetentionPolicyInit = {}): RetentionPolicy {
  const {
    keep = DEFAULT_RETENTION.keep,
    grace = DEFAULT_RETENTION.grace,
    minSnapshots = DEFAULT_RETENTION.minSnapshots,
    neverDelete = DEFAULT_RETENTION.neverDelete,
  } = init
  if (keep.length === 0) throw wrong('there is no tier', 'Say at least for how long to keep what.')
  for (const [i, tier] of keep.entries()) checkTier(tier, i + 1, keep.slice(0, i))
  if (!isWhole(grace)) throw wrong(`grace ${grace} ms is not a whole number from 1`)
  if (!isWhole(minSnapshots)) throw wrong(`minSnapshots ${minSnapshots} is not a whole number from 1`)
  return { keep, grace, minSnapshots, neverDelete }
}

/** The age up to which the policy promises anything, in milliseconds. */
export function longestAge(policy: RetentionPolicy): number {
  return (policy.keep[policy.keep.length - 1] as RetentionTier).for
}

function checkTier(tier: RetentionTier, number: number, before: readonly RetentionTier[]): void {
  const name = `tier ${number}`
  const last = before[before.length - 1]
  if (!isWhole(tier.for) && tier.for !== Number.POSITIVE_INFINITY) {
    throw wrong(`${name} is for ${tier.for} ms, not a whole number from 1 or Infinity`)
  }
  if (last && tier.for <= last.for) {
    throw wrong(
      `${name} is for ${tier.for} ms, not longer than the one before, for ${last.for} ms`,
      'Put the tiers in order, the youngest states first; a coarser tier that ends earlier adds nothing.',
    )
  }
  if (tier.every === 'capture') {
    if (!last) return
    throw wrong(
      `${name} keeps every capture after a tier that does not`,
      'What is gone does not come back with age.',
    )
  }
  if (!isWhole(tier.every)) throw wrong(`${name} is every ${tier.every} ms, not a whole number from 1`)
  if (tier.every > tier.for) {
    throw wrong(`${name} is every ${tier.every} ms, longer than it is kept, for ${tier.for} ms`)
  }
  // Only then the last state of a wide slot is that of a narrow one too, and was kept until now.
  if (typeof last?.every === 'number' && (tier.every <= last.every || tier.every % last.every !== 0)) {
    throw wrong(
      `${name} is every ${tier.every} ms, not a multiple of the one before, every ${last.every} ms`,
      'Choose steps that contain one another, as 30 s, 5 min and 1 h do.',
    )
  }
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1
}

function wrong(message: string, hint?: string): ReplicaError {
  return new ReplicaError('bad-policy', `retention: ${message}`, { hint })
}
