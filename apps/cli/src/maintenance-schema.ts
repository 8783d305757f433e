import { z } from 'zod'
import { count, file, hex64, instant, level, milliseconds, point, range, tier } from './schema-parts.ts'

// What `compact`, `snapshot` and `retention` give with --json.

const merge = z.strictObject({
  level,
  ...range,
  inputs: count,
  /** Of a plan: at most, where merges are made of merges. */
  bytesToRead: count,
  /** Absent in a plan. */
  bytes: count.optional(),
  milliseconds: milliseconds.optional(),
})
export type MergeJSON = z.infer<typeof merge>

export const compact = z.strictObject({
  source: z.string(),
  dryRun: z.boolean(),
  merges: z.array(merge),
  /** When there may be more to do although nothing new has come. */
  nextAt: instant.optional(),
})
export type CompactJSON = z.infer<typeof compact>

export const snapshot = z.strictObject({
  source: z.string(),
  /** The newest state, of which there is a snapshot now. */
  txid: hex64,
  /** Of which there was one already. */
  existed: z.boolean(),
  merges: z.array(merge),
})
export type SnapshotJSON = z.infer<typeof snapshot>

export const retention = z.strictObject({
  source: z.string(),
  dryRun: z.boolean(),
  now: instant,
  graceMs: milliseconds,
  minSnapshots: count,
  /** One for each tier of the policy, then one for states that are older than all. */
  tiers: z.array(tier.extend({ stays: count, goes: count })),
  oldest: point.optional(),
  newest: point.optional(),
  marked: z.array(file),
  unmarked: z.array(file),
  waiting: z.array(file),
  removed: z.array(file),
  unconnected: z.array(file),
  bytesFreed: count,
})
export type RetentionJSON = z.infer<typeof retention>
