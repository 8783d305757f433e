// A replica in an S3 of our own, in a process of its own, whose every answer takes its time. Argument: DistantReplicaOptions. Tells
// where it is; then, for any message, what was asked of it since the last one.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { smallTransactions } from './small-transactions.ts'

/** What the replica holds, and how far away it is. */
export interface DistantReplicaOptions {
  /** Of the snapshot. */
  readonly database: string
  /** Behind the snapshot. */
  readonly files: number
  readonly latencyMs: number
}

/** Where the replica is, or what was asked of it. */
export interface DistantReplicaReply {
  readonly url: string
  readonly gets: number
  readonly requests: number
}

const { database, files, latencyMs } = JSON.parse(process.argv[2] ?? '') as DistantReplicaOptions
const server = await FakeS3.start({ latencyMs })
const modified = new Date()
for (const { key, bytes } of smallTransactions(readFileSync(database), files)) {
  const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
  server.bucket('bucket').put(`app/${key}`, { bytes, etag, modified, headers: {} })
}

function report(): DistantReplicaReply {
  const { requests } = server.traffic()
  const reply: DistantReplicaReply = {
    url: `s3://bucket/app?endpoint=${server.url}&forcePathStyle=true&region=us-east-1`,
    gets: server.traffic('GetObject').requests,
    requests,
  }
  server.plan()
  return reply
}

process.on('message', () => process.send?.(report()))
process.on('disconnect', () => process.exit())
process.send?.(report())
