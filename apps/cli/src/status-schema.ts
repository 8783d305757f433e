import { z } from 'zod'
import { count, error, hex64, instant, proof } from './schema-parts.ts'

// What `status` gives with --json.

export const status = z.strictObject({
  database: z.string(),
  /** Something was captured from this database at this place. */
  replicated: z.boolean(),
  /** A replicator holds the database's lock now. */
  running: z.boolean(),
  /** It was let go with everything in its replica: its process looks for writes, or the next one will. */
  resting: z.literal(true).optional(),
  stateDir: z.string().optional(),
  captured: z.strictObject({ txid: hex64, postApplyChecksum: hex64 }).optional(),
  timestamp: instant.optional(),
  databaseBytes: count.optional(),
  pendingFiles: count.optional(),
  pendingBytes: count.optional(),
  /** Captures were given up for want of disk space; the replica lacks them until all pages were compared. */
  givenUp: z.literal(true).optional(),
  replica: z
    .strictObject({
      source: z.string(),
      head: hex64.optional(),
      files: count,
      bytes: count,
      position: z.enum(['unknown', 'equal', 'behind', 'ahead']),
      proof: proof.optional(),
    })
    .optional(),
})
export type StatusJSON = z.infer<typeof status>

export const folderStatus = z.strictObject({
  folder: z.string(),
  databases: count,
  /** How many a replicator holds now. */
  running: count,
  /** How many were let go with everything in their replica. */
  resting: count,
  /** Of how many captures were given up for want of disk space. */
  givenUp: count,
  /** Of how many something was captured here. */
  captured: count,
  /** How many have files that wait for upload. */
  pending: count,
  /** How many have a local state that cannot be read. */
  unreadable: count,
  pendingFiles: count,
  pendingBytes: count,
  /** When the oldest file that waits was captured. */
  pendingSince: instant.optional(),
  /** What could not be looked at. */
  problems: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  /** Those first of which captures were given up, then those whose files wait for longest, then those that were never captured. */
  list: z.array(
    z.strictObject({
      database: z.string(),
      running: z.boolean(),
      resting: z.literal(true).optional(),
      givenUp: z.literal(true).optional(),
      captured: hex64.optional(),
      timestamp: instant.optional(),
      pendingFiles: count,
      pendingBytes: count,
      pendingSince: instant.optional(),
      error: error.optional(),
    }),
  ),
})
export type FolderStatusJSON = z.infer<typeof folderStatus>
