import { z } from 'zod'
import { count, hex64, instant, level, milliseconds, point, proof } from './schema-parts.ts'

// What `list` gives with --json.

const age = z.strictObject({
  /** Absent: whatever is older than the others. */
  upToMs: milliseconds.optional(),
  states: count,
  /** Half of the states follow the one before within this time. Absent for fewer than two. */
  medianStepMs: milliseconds.optional(),
})
export type AgeJSON = z.infer<typeof age>

export const replicaList = z.strictObject({
  source: z.string(),
  /** Of the database that the replica belongs to; absent when no writer of ours has been here. */
  databaseId: z.string().optional(),
  created: instant.optional(),
  /** The highest TXID, restorable or not. */
  head: hex64,
  files: count,
  bytes: count,
  levels: z.array(z.strictObject({ level, files: count, bytes: count })),
  restorable: z.strictObject({ states: count, oldest: point, newest: point }).optional(),
  /** Absent: nothing was ever proven. */
  proof: proof.optional(),
  /** With `--points` or `--all`. */
  points: z
    .strictObject({
      /** All times are those of the files' headers; else some are those at which the store received a file. */
      exact: z.boolean(),
      ages: z.array(age),
      /** The newest first, with the times of their headers; with `--all` every one. */
      newest: z.array(point),
    })
    .optional(),
})
export type ReplicaListJSON = z.infer<typeof replicaList>
