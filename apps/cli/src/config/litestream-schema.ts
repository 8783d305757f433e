import { z } from 'zod'

const text = z.string({ error: 'expected a text' })
const texts = z.array(text, { error: 'expected a list of texts' })
const mapping = { error: 'expected a mapping' }
/** Litestream takes 1, "1" and "t" as well; what a file holds is mostly true or false. */
const truth = z.boolean({ error: 'expected true or false' })
const scalar = z.union([z.string(), z.number()], { error: 'expected a text or a number' })
/** Keys that have no meaning here: whatever Litestream takes. */
const any = z.unknown()

/** Of a replica, and at the top of the file as defaults for all of them. */
const replicaSettings = {
  type: z
    .enum(['file', 's3', 'gs', 'abs', 'sftp', 'webdav', 'nats', 'oss'], {
      error: 'expected file, s3, gs, abs, sftp, webdav, nats or oss',
    })
    .optional(),
  url: text.optional(),
  path: text.optional(),
  name: any.optional(),
  'sync-interval': text.optional(),
  'max-sync-ltx-files': any.optional(),
  'auto-recover': any.optional(),
  'validation-interval': any.optional(),
  'access-key-id': text.optional(),
  'secret-access-key': text.optional(),
  region: text.optional(),
  bucket: text.optional(),
  endpoint: text.optional(),
  'force-path-style': truth.optional(),
  'sign-payload': truth.optional(),
  'require-content-md5': truth.optional(),
  'skip-verify': truth.optional(),
  'storage-class': text.optional(),
  'part-size': scalar.optional(),
  concurrency: scalar.optional(),
  'sse-customer-algorithm': text.optional(),
  'sse-customer-key': text.optional(),
  'sse-customer-key-path': text.optional(),
  'sse-kms-key-id': text.optional(),
  'account-name': text.optional(),
  'account-key': text.optional(),
  'sas-token': text.optional(),
  host: text.optional(),
  user: text.optional(),
  password: text.optional(),
  'key-path': text.optional(),
  'host-key': text.optional(),
  'concurrent-writes': any.optional(),
  'webdav-url': text.optional(),
  'webdav-username': text.optional(),
  'webdav-password': text.optional(),
  jwt: text.optional(),
  seed: text.optional(),
  creds: text.optional(),
  nkey: text.optional(),
  username: text.optional(),
  token: text.optional(),
  tls: truth.optional(),
  'root-cas': texts.optional(),
  'client-cert': text.optional(),
  'client-key': text.optional(),
  'max-reconnects': any.optional(),
  'reconnect-wait': any.optional(),
  timeout: any.optional(),
  age: any.optional(),
  // Of Litestream 0.3.
  retention: any.optional(),
  'retention-check-interval': any.optional(),
  'snapshot-interval': any.optional(),
}

/** `5m`, and 0 for some. */
const snapshot = z.looseObject({ interval: scalar.optional(), retention: scalar.optional() }, mapping)

const replica = z.strictObject(replicaSettings, mapping)

const database = z.strictObject(
  {
    path: text.optional(),
    dir: text.optional(),
    pattern: text.optional(),
    recursive: truth.optional(),
    watch: truth.optional(),
    'meta-path': text.optional(),
    'meta-dir': any.optional(),
    'monitor-interval': any.optional(),
    'checkpoint-interval': any.optional(),
    'busy-timeout': any.optional(),
    'min-checkpoint-page-count': any.optional(),
    'truncate-page-n': any.optional(),
    'max-sync-wal-bytes': any.optional(),
    snapshot: snapshot.optional(),
    'restore-if-db-not-exists': any.optional(),
    replica: replica.optional(),
    replicas: z.array(replica, { error: 'expected a list of replicas' }).optional(),
    // Of Litestream 0.3.
    'max-checkpoint-page-count': any.optional(),
  },
  mapping,
)

/** `litestream.yml`, every key that some release of it knows. */
export const litestreamFile = z.strictObject(
  {
    ...replicaSettings,
    addr: any.optional(),
    'mcp-addr': any.optional(),
    exec: text.optional(),
    socket: any.optional(),
    levels: z
      .array(z.looseObject({ interval: scalar.optional() }, mapping), { error: 'expected a list of levels' })
      .optional(),
    snapshot: snapshot.optional(),
    'l0-retention': scalar.optional(),
    'l0-retention-check-interval': any.optional(),
    // At the top this is `retention.enabled`; of a replica in 0.3 it was a duration.
    retention: any.optional(),
    'verify-compaction': any.optional(),
    validation: any.optional(),
    'heartbeat-url': any.optional(),
    'heartbeat-interval': any.optional(),
    'shutdown-sync-timeout': any.optional(),
    'shutdown-sync-interval': any.optional(),
    logging: any.optional(),
    dbs: z.array(database, { error: 'expected a list of databases' }),
  },
  mapping,
)
export type LitestreamFile = z.infer<typeof litestreamFile>
export type LitestreamReplica = z.infer<typeof replica>
