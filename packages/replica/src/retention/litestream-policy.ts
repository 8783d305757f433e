import { createRetentionPolicy, type RetentionPolicy, type RetentionTier } from './policy.ts'

/** Litestream's own settings of retention, in milliseconds; what is left out has Litestream's default. */
export interface LitestreamRetention {
  /** `snapshot.retention`. Default 24 h. */
  readonly snapshotRetentionMs?: number | undefined
  /** `snapshot.interval`. Default 24 h. */
  readonly snapshotIntervalMs?: number | undefined
  /** `l0-retention`. 0 keeps level 0 for ever. Default 5 min. */
  readonly l0RetentionMs?: number | undefined
  /** `levels[].interval`, level 1 first. Default 30 s, 5 min, 1 h. */
  readonly levelIntervalsMs?: readonly number[] | undefined
  /** `retention.enabled`. Default true. */
  readonly enabled?: boolean | undefined
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/**
 * The policy that promises what these settings of Litestream give: every capture while level 0 is kept, then the steps of level 1.
 * A snapshot goes when it is older than the retention, and what lies between it and the next one with it: so the oldest state is
 * one interval of snapshots older than the retention at most, which is what is promised here. Higher levels have no state of their own.
 *
 * Throws ReplicaError `bad-policy`.
 */
export function retentionFromLitestream(settings: LitestreamRetention = {}): RetentionPolicy {
  const {
    snapshotRetentionMs = DAY,
    snapshotIntervalMs = DAY,
    l0RetentionMs = 5 * MINUTE,
    levelIntervalsMs = [30_000],
    enabled = true,
  } = settings
  const captures: RetentionTier = { every: 'capture', for: l0RetentionMs || Number.POSITIVE_INFINITY }
  const [every] = levelIntervalsMs
  const window = snapshotRetentionMs + snapshotIntervalMs
  const steps: RetentionTier[] =
    every === undefined || window <= captures.for ? [] : [{ every: Math.min(every, window), for: window }]
  return createRetentionPolicy({ keep: [captures, ...steps], neverDelete: !enabled })
}
