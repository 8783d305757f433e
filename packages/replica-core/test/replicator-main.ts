// A replicator in a process of its own, for tests that kill it. Arguments: one JSON object.
import { appendFileSync, existsSync } from 'node:fs'
import { createRetentionPolicy, Replica } from '@sqlstream/replica'
import { type BlobStore, StorageError, withFaults } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { lastCommit } from '@sqlstream/testkit'
import { killAt, Primary, type PrimaryOptions } from '../src/index.ts'
import { CaptureLog } from '../src/state/capture-log.ts'

/** What the parent asks for. */
export interface ReplicatorArguments {
  readonly database: string
  readonly replica: string
  readonly commitLog: string
  /** Gets a line with the number of the newest commit known to be in the replica. */
  readonly durableLog: string
  /** See killAt. */
  readonly failpoint?: string
  readonly syncIntervalMs?: number
  readonly checkpointFrames?: number
  /** While this file is there, the store does not answer. */
  readonly downWhile?: string
  readonly maxSpoolBytes?: number
  /** Folder of a log of captures with small segments. Default: none. */
  readonly log?: string
}

function storeOf({ replica, downWhile }: ReplicatorArguments): BlobStore {
  const store = new FileStore(replica)
  if (downWhile === undefined) return store
  const wait = async (): Promise<void> => {
    if (existsSync(downWhile))
      throw new StorageError('it does not answer', { code: 'unavailable', driver: 'file', operation: 'get' })
  }
  const operations = ['put', 'list', 'head', 'get'] as const
  return withFaults(
    store,
    operations.map((operation) => ({ operation, fault: 'delay', wait })),
  )
}

const o = JSON.parse(process.argv[2] as string) as ReplicatorArguments
const failpoint = o.failpoint === undefined ? undefined : killAt(o.failpoint)
const log =
  o.log === undefined ? undefined : await CaptureLog.open(o.log, { segmentBytes: 100_000, failpoint })
const options: PrimaryOptions = {
  database: o.database,
  replica: new Replica(storeOf(o)),
  ...(o.maxSpoolBytes !== undefined && { disk: { maxSpoolBytes: o.maxSpoolBytes } }),
  syncIntervalMs: o.syncIntervalMs ?? 20,
  checkpointFrames: o.checkpointFrames ?? 200,
  maintenance: {
    compaction: { levels: { every: [200, 1000] }, snapshots: { growth: 3 } },
    retention: createRetentionPolicy({
      keep: [
        { every: 'capture', for: 300 },
        { every: 200, for: 2000 },
        { every: 1000, for: 10_000 },
      ],
      grace: 500,
    }),
    retainEveryMs: 100,
  },
  onEvent: (event) => {
    if (event.type === 'failed') console.error(event.operation, event.error)
    if (event.type === 'checkpointed' && event.barrierMs !== undefined)
      process.send?.({ barrierMs: event.barrierMs })
    if (event.type === 'resynced')
      process.send?.({ resynced: event.reason, changedPages: event.changedPages })
    if (event.type === 'given-up') process.send?.({ givenUp: event.files })
    if (event.type === 'snapshot-started') process.send?.({ snapshot: event.reason })
  },
  ...(failpoint && { failpoint }),
}
const primary = await Primary.open(options, { log })
process.send?.('ready')
let stopping = false
process.on('message', () => {
  stopping = true
})
// The parent is gone: do not outlive it.
process.on('disconnect', () => {
  if (!stopping) process.exit(2)
})
while (!stopping) {
  // Whatever the writer had acknowledged before the call must be in the replica after it.
  const committed = lastCommit(o.commitLog)
  await primary.durable()
  appendFileSync(o.durableLog, `${committed}\n`)
  await new Promise((resolve) => setTimeout(resolve, 5))
}
const report = await primary.close()
await log?.close()
process.send?.({ closed: report.pendingFiles })
process.disconnect()
