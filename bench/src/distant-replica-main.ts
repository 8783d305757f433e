// A replica in an S3 of our own, in a process of its own, whose every answer takes its time. Argument: DistantReplicaOptions. Tells
// where it is; then, for any message, what was asked of it since the last one.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesOf, ltxKey, Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { type ReplicaObject, smallTransactions } from './small-transactions.ts'

/** What the replica holds, and how far away it is. */
export type DistantReplicaOptions = { readonly latencyMs: number } & (
  | {
      /** Of the snapshot. */
      readonly database: string
      /** Behind the snapshot. */
      readonly files: number
    }
  | {
      /** Folder of a replica to take over. */
      readonly replica: string
    }
)

/** Where the replica is, or what was asked of it. */
export interface DistantReplicaReply {
  readonly url: string
  /** That it holds. */
  readonly objects: number
  readonly gets: number
  readonly requests: number
}

const WARM_UP_ROUNDS = 20

async function* objects(): AsyncGenerator<ReplicaObject, void, undefined> {
  if ('database' in options) {
    yield* smallTransactions(readFileSync(options.database), options.files)
    return
  }
  await using store = new FileStore(options.replica)
  for (const file of filesOf(await new Replica(store).catalog())) {
    const bytes = readFileSync(join(options.replica, ltxKey('plain', file.level, file)))
    yield { key: ltxKey('s3', file.level, file), bytes }
  }
}

const options = JSON.parse(process.argv[2] ?? '') as DistantReplicaOptions
const server = await FakeS3.start({ latencyMs: options.latencyMs })
const modified = new Date()
for await (const { key, bytes } of objects()) {
  const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
  server.bucket('bucket').put(`app/${key}`, { bytes, etag, modified, headers: {} })
}

// What has to be compiled first must not count for whoever reads first.
const [key] = server.bucket('bucket').objects.keys()
for (let round = 0; round < WARM_UP_ROUNDS; round++) {
  const get = () => fetch(`${server.url}/bucket/${key}`, { headers: { range: 'bytes=0-99' } })
  await Promise.all(Array.from({ length: 16 }, async () => await (await get()).arrayBuffer()))
}
server.plan()

function report(): DistantReplicaReply {
  const { requests } = server.traffic()
  const reply: DistantReplicaReply = {
    url: `s3://bucket/app?endpoint=${server.url}&forcePathStyle=true&region=us-east-1`,
    objects: server.bucket('bucket').objects.size,
    gets: server.traffic('GetObject').requests,
    requests,
  }
  server.plan()
  return reply
}

process.on('message', () => process.send?.(report()))
process.on('disconnect', () => process.exit())
process.send?.(report())
