import { z } from 'zod'
import { configCheck, configShow, storageCheck } from './check-schema.ts'
import { configFile } from './config/file-schema.ts'
import { change, info, liveStatus, sync } from './control/api-schema.ts'
import { compact, retention, snapshot } from './maintenance-schema.ts'
import { replicaList } from './replica-schema.ts'
import { restore, restoreTree } from './restore-schema.ts'
import { count, error, file, hex64, instant, milliseconds, range } from './schema-parts.ts'
import { STATE_SCHEMAS } from './state-schemas.ts'
import { folderStatus, status } from './status-schema.ts'

const list = z.strictObject({
  source: z.string(),
  head: hex64.optional(),
  files: z.array(file),
  gaps: z.array(z.strictObject(range)),
  bytes: count,
})
export type ListJSON = z.infer<typeof list>

const show = z.strictObject({
  file: z.string(),
  size: count,
  ...range,
  snapshot: z.boolean(),
  timestamp: instant,
  pageSize: count,
  commit: count,
  flags: count,
  preApplyChecksum: hex64,
  postApplyChecksum: hex64,
  fileChecksum: hex64,
  walOffset: count,
  walSize: count,
  walSalt1: count,
  walSalt2: count,
  nodeId: hex64,
  proof: z.strictObject({ preApplyChecksum: hex64, postApplyChecksum: hex64 }).optional(),
  index: z.strictObject({ pages: count, firstPage: count, lastPage: count, compressedBytes: count }),
})
export type ShowJSON = z.infer<typeof show>

const dump = z.strictObject({
  file: z.string(),
  pageSize: count,
  pages: z.array(z.strictObject({ pgno: count, offset: count, size: count, checksum: hex64 })),
})
export type DumpJSON = z.infer<typeof dump>

const ltxVerify = z.strictObject({
  ok: z.boolean(),
  files: z.array(
    z.strictObject({
      file: z.string(),
      ok: z.boolean(),
      pages: count.optional(),
      fileChecksum: hex64.optional(),
      error: z.strictObject({ message: z.string(), code: z.string() }).optional(),
    }),
  ),
})
export type LTXVerifyJSON = z.infer<typeof ltxVerify>

/** A restore to a temporary folder. */
const drill = z.strictObject({
  ok: z.boolean(),
  txid: hex64.optional(),
  postApplyChecksum: hex64.optional(),
  timestamp: instant.optional(),
  /** The database checksum equals the one that was captured. */
  proven: z.boolean().optional(),
  bytes: count.optional(),
  /** In the replica. */
  recorded: z.boolean(),
  warning: z.string().optional(),
  error: error.optional(),
  milliseconds,
})
export type DrillJSON = z.infer<typeof drill>

const verify = z.strictObject({
  source: z.string(),
  depth: z.enum(['chain', 'bytes']),
  ok: z.boolean(),
  files: count,
  head: hex64.optional(),
  findings: z.array(
    z.strictObject({
      kind: z.string(),
      severity: z.enum(['error', 'warning', 'info']),
      message: z.string(),
      file: z.string().optional(),
    }),
  ),
  drill: drill.optional(),
})
export type VerifyJSON = z.infer<typeof verify>

const failure = z.strictObject({ error })

const eventHead = { time: instant, database: z.string(), replica: z.string() }
const pos = z.strictObject({ txid: hex64, postApplyChecksum: hex64 })

/** One line of `replicate --json`. New types of events may be added; ignore those you do not know. */
const event = z.discriminatedUnion('type', [
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
  }),
])
export type EventJSON = z.infer<typeof event>

const lease = z.strictObject({
  source: z.string(),
  /** `none`: nobody ever held it; `released`: anybody may take it. */
  state: z.enum(['none', 'held', 'released']),
  epoch: z
    .string()
    .regex(/^[0-9]+$/)
    .optional(),
  owner: z.string().optional(),
  since: instant.optional(),
  /** By the holder's clock, unless it renews. */
  expires: instant.optional(),
  ttlMs: milliseconds.optional(),
})
export type LeaseJSON = z.infer<typeof lease>

/** One schema for each kind of `--json` output; committed as JSON Schema in `schemas/`. */
export const SCHEMAS = {
  restore,
  'restore-tree': restoreTree,
  'ltx-list': list,
  'ltx-show': show,
  'ltx-dump': dump,
  'ltx-verify': ltxVerify,
  verify,
  status,
  'status-folder': folderStatus,
  list: replicaList,
  lease,
  retention,
  compact,
  snapshot,
  'storage-check': storageCheck,
  'config-check': configCheck,
  'config-show': configShow,
  'config-file': configFile,
  sync,
  'control-change': change,
  'control-info': info,
  'status-live': liveStatus,
  'replicate-event': event,
  ...STATE_SCHEMAS,
  error: failure,
} as const
