import type { RetentionPolicy, RetentionTier } from './policy.ts'
import type { RestorePoint } from './promises.ts'

/** The states of one span of ages: older than the tier before, not older than this one. */
export interface TierOutlook {
  /** Undefined for the states that are older than every tier. */
  readonly tier: RetentionTier | undefined
  /** States that stay restorable. */
  readonly stays: number
  /** States that can be restored now, and cannot once the unneeded files are removed. */
  readonly goes: number
}

/** What retention means for restores. */
export interface Outlook {
  readonly oldest: RestorePoint | undefined
  readonly newest: RestorePoint | undefined
  /** One for each tier, in the policy's order, then one for what is older. */
  readonly tiers: readonly TierOutlook[]
}

/** Compares what can be restored now with what will be. */
export function outlook(
  before: readonly RestorePoint[],
  after: readonly RestorePoint[],
  policy: RetentionPolicy,
  now: Date,
): Outlook {
  const stays = new Set(after.map(({ txid }) => txid))
  const tiers = [...policy.keep, undefined].map((tier) => ({ tier, stays: 0, goes: 0 }))
  for (const { txid, time } of before) {
    const age = now.getTime() - time.getTime()
    const found = tiers.find(({ tier }) => tier === undefined || age <= tier.for)
    if (found === undefined) continue
    if (stays.has(txid)) found.stays++
    else found.goes++
  }
  return { oldest: after[0], newest: after[after.length - 1], tiers }
}
