import { z } from 'zod'
import { count, error, file, hex64, instant, milliseconds } from './schema-parts.ts'

// What `replicate` tells with --json.

/** Whom an event is about. */
export const eventHead = { time: instant, database: z.string(), replica: z.string() }
const pos = z.strictObject({ txid: hex64, postApplyChecksum: hex64 })

/** One line of `replicate --json`. New types of events may be added; ignore those you do not know. */
export const event = z.discriminatedUnion('type', [
  z.strictObject({ ...eventHead, type: z.literal('state'), from: z.string(), to: z.string() }),
  z.strictObject({
    ...eventHead,
    type: z.literal('captured'),
    pos,
    pages: count,
    bytes: count,
    milliseconds,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('uploaded'),
    file,
    bytes: count,
    captures: count.describe('How many captures are in it: more than one where many had to wait.'),
    milliseconds,
  }),
  z.strictObject({ ...eventHead, type: z.literal('snapshot-started'), txid: hex64, reason: z.string() }),
  z.strictObject({ ...eventHead, type: z.literal('snapshot-progress'), pages: count, totalPages: count }),
  z.strictObject({ ...eventHead, type: z.literal('snapshotted'), file, bytes: count, milliseconds }),
  z.strictObject({
    ...eventHead,
    type: z.literal('compacted'),
    file,
    inputs: count,
    bytes: count,
    milliseconds,
  }),

  z.strictObject({
    ...eventHead,
    type: z.literal('retained'),
    removed: count,
    bytes: count,
    oldest: z.strictObject({ txid: hex64, timestamp: instant }).optional(),
  }),
  z.strictObject({ ...eventHead, type: z.literal('verified'), txid: hex64, bytes: count, milliseconds }),
  z.strictObject({
    ...eventHead,
    type: z.literal('verification-skipped'),
    txid: hex64,
    needed: count,
    left: count,
    bytesPerDay: count,
    nextAt: instant,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('resynced'),
    pos,
    changedPages: count,
    reason: z.string(),
    milliseconds,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('given-up'),
    /** `bound`: captures would take more disk space than they may; `reserve`: the disk is nearly full. */
    reason: z.enum(['bound', 'reserve']),
    files: count,
    bytes: count,
    freeBytes: count,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('checkpointed'),
    mode: z.string(),
    frames: count,
    barrierMs: milliseconds.optional(),
    complete: z.boolean(),
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('lease'),
    /** `waiting`: another writer has it; `acquired`: it is ours. */
    state: z.enum(['waiting', 'acquired']),
    owner: z.string(),
    epoch: z.string().regex(/^[0-9]+$/),
    expires: instant,
    ttlMs: milliseconds,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('tail-kept'),
    folder: z.string(),
    minTXID: hex64,
    maxTXID: hex64,
    files: count,
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('warning'),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
  z.strictObject({
    time: instant,
    type: z.literal('config-warning'),
    file: z.string(),
    line: count.optional(),
    key: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('failed'),
    operation: z.string(),
    error,
    retryInMs: milliseconds.optional(),
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('member'),
    /** Of a database in a folder. */
    state: z.enum(['queued', 'opening', 'open', 'resting', 'failed', 'fenced', 'stopped', 'gone']),
  }),
  /** Where the figures are. */
  z.strictObject({ time: instant, type: z.literal('metrics'), url: z.string() }),
  z.strictObject({
    time: instant,
    type: z.literal('request-budget'),
    /** Calls of stores in 30 days, if it goes on as in the last one. */
    perMonth: count,
    budget: count,
    /** The operation that is called most, and its part of the whole, from 0 to 1. */
    operation: z.string(),
    share: z.number(),
  }),
  z.strictObject({
    time: instant,
    type: z.literal('control-warning'),
    code: z.string(),
    message: z.string(),
  }),
  z.strictObject({ time: instant, type: z.literal('watching'), folder: z.string(), databases: count }),
  z.strictObject({
    time: instant,
    type: z.literal('folder-warning'),
    folder: z.string(),
    path: z.string(),
    code: z.string(),
    message: z.string(),
  }),
  z.strictObject({
    time: instant,
    type: z.literal('folder-stopped'),
    folder: z.string(),
    databases: count,
    pendingFiles: count,
    /** Databases of which not everything is known to be in the replica. */
    incomplete: z.array(z.string()),
  }),
  z.strictObject({
    ...eventHead,
    type: z.literal('stopped'),
    captured: pos.optional(),
    uploaded: hex64.optional(),
    pendingFiles: count,
    /** Captures were given up, and the next start compares all pages. */
    givenUp: z.literal(true).optional(),
  }),
])
export type EventJSON = z.infer<typeof event>
