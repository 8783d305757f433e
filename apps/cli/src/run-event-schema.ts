import { z } from 'zod'
import { event, eventHead } from './event-schema.ts'
import { count, error, hex64, instant, milliseconds } from './schema-parts.ts'

const news = z.discriminatedUnion('type', [
  z.strictObject({
    ...eventHead,
    type: z.literal('restoring'),
    again: z.boolean().describe('Another writer has gone on since it was restored.'),
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('restored'),
    txid: hex64.optional(),
    timestamp: instant,
    bytes: count,
    /** The database checksum equals the one that was captured. */
    proven: z.boolean(),
    milliseconds,
  }),
  /** There is no database, and the store says that there is no backup of one. */
  z.strictObject({ ...eventHead, type: z.literal('no-backup') }),
  /** The program of `run`. */
  z.strictObject({
    time: instant,
    type: z.literal('application'),
    state: z.enum(['started', 'stopping', 'killed', 'ended']),
    program: z.string(),
    pid: count.optional(),
    /** Why it has to end. */
    error: error.optional(),
    /** How it ended. */
    code: count.optional(),
    signal: z.string().optional(),
  }),
])

/** One line of `run --json`: those of `replicate --json`, and some of its own. */
export const runEvent = z.union([news, event])
export type RunEventJSON = z.infer<typeof runEvent>
