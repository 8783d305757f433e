import { z } from 'zod'
import { count, file, hex64, instant, milliseconds } from './schema-parts.ts'

// What `fork` and `rollback` give with --json.

export const fork = z.strictObject({
  dryRun: z.boolean(),
  source: z.string(),
  target: z.string(),
  txid: hex64,
  timestamp: instant,
  files: z.array(file),
  bytes: count,
  /** Of `bytes`, what the store copied by itself: it did not come through this machine. In a dry run 0. */
  bytesCopiedByStore: count,
  milliseconds,
})
export type ForkJSON = z.infer<typeof fork>

export const rollback = z.strictObject({
  dryRun: z.boolean(),
  source: z.string(),
  /** The state whose content is the newest again. */
  to: z.strictObject({ txid: hex64, timestamp: instant }),
  /** The newest state before. */
  from: z.strictObject({ txid: hex64 }),
  /** The newest state now. As `from` when the two do not differ, and in a dry run. */
  head: hex64,
  pages: count,
  commit: z.strictObject({ from: count, to: count }),
  bytes: count,
  /** What to roll back to in order to undo this, and until when it is held for certain. */
  undo: z.strictObject({ txid: hex64, until: instant.optional() }).optional(),
  milliseconds,
})
export type RollbackJSON = z.infer<typeof rollback>
