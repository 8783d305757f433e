import { z } from 'zod'
import { count, error, hex64, instant, milliseconds } from '../schema-parts.ts'

// What goes over the control socket, and what the commands that use it give with --json.

const state = z.enum(['queued', 'opening', 'open', 'resting', 'failed', 'fenced', 'stopped', 'gone'])

export const sync = z.strictObject({
  database: z.string(),
  replica: z.string(),
  /** Everything that was committed before the call is in the replica, up to here. */
  txid: hex64,
  milliseconds,
})
export type SyncJSON = z.infer<typeof sync>

export const change = z.strictObject({
  database: z.string(),
  replica: z.string(),
  outcome: z.enum([
    'registered',
    'already-registered',
    'unregistered',
    'started',
    'already-started',
    'stopped',
    'already-stopped',
  ]),
  state,
  captured: hex64.optional(),
  /** Everything up to here is in the replica. */
  uploaded: hex64.optional(),
  /** Captured, but not in the replica: they wait beside the database. */
  pendingFiles: count,
  /** Lines for a configuration file: without them the next start knows nothing of it. */
  configuration: z.string().optional(),
})
export type ChangeJSON = z.infer<typeof change>

const row = z.strictObject({
  database: z.string(),
  replica: z.string(),
  state,
  captured: hex64.optional(),
  uploaded: hex64.optional(),
  pendingFiles: count,
  pendingBytes: count,
  /** When the oldest commit that the replica lacks was first seen; absent when it lacks none. */
  unreplicatedSince: instant.optional(),
  lagMs: milliseconds,
  provenAt: instant.optional(),
  error: error.optional(),
})

export const info = z.strictObject({
  version: z.string(),
  pid: count,
  startedAt: instant,
  socket: z.string(),
  databases: count,
})
export type InfoJSON = z.infer<typeof info>

export const liveStatus = z.strictObject({
  process: info,
  /** How many databases are in each state. */
  states: z.record(state, count),
  pendingFiles: count,
  pendingBytes: count,
  /** Of the database that is furthest behind. */
  unreplicatedSince: instant.optional(),
  lagMs: milliseconds,
  /** How long writers of the databases were kept out, each time, since the process began. */
  writeLock: z.strictObject({ count, p50Ms: milliseconds, p99Ms: milliseconds, maxMs: milliseconds }),
  /** Those first that are behind for longest. */
  list: z.array(row),
})
export type LiveStatusJSON = z.infer<typeof liveStatus>

const database = z.string({ error: 'expected the absolute path of a database' }).startsWith('/', {
  error: 'expected an absolute path',
})
const timeoutMs = z.int().min(1).max(2_147_483_647).optional()

/** Bodies of requests, by their path below the version. */
export const REQUESTS = {
  sync: z.strictObject({ database, timeoutMs }),
  start: z.strictObject({ database, timeoutMs }),
  stop: z.strictObject({ database, timeoutMs }),
  unregister: z.strictObject({ database, timeoutMs }),
  register: z.strictObject({ database, url: z.string().min(1), timeoutMs }),
} as const

/** What an answer with a status from 400 holds. */
export const refusal = z.strictObject({ error, exit: count })
