import { z } from 'zod'
import { configCheck, configShow, storageCheck } from './check-schema.ts'
import { configFile } from './config/file-schema.ts'
import { change, info, liveStatus, sync } from './control/api-schema.ts'
import { event } from './event-schema.ts'
import { inspect } from './inspect/inspect-schema.ts'
import { compact, retention, snapshot } from './maintenance-schema.ts'
import { health } from './metrics/health-schema.ts'
import { query } from './query/query-schema.ts'
import { replicaList } from './replica-schema.ts'
import { restore, restoreTree } from './restore-schema.ts'
import { runEvent } from './run-event-schema.ts'
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

export type { EventJSON } from './event-schema.ts'
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
  query,
  inspect,
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
  'run-event': runEvent,
  health,
  ...STATE_SCHEMAS,
  error: failure,
} as const
