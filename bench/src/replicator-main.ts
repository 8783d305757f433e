// The replicator in a process of its own, with the options that a user gets who asks for nothing special.
// Argument: ReplicatorOptions. Tells when everything is in the replica, then again after it was told to stop.
import { Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { peakMemory } from './process-figures.ts'
import type { ReplicatorOptions, ReplicatorReply } from './replicator.ts'

const options = JSON.parse(process.argv[2] ?? '') as ReplicatorOptions
let captures = 0
const writeLocks: number[] = []
const failures: string[] = []

const primary = await Primary.open(
  {
    database: options.database,
    ...(options.syncIntervalMs !== undefined && { syncIntervalMs: options.syncIntervalMs }),
    replica: new Replica(new FileStore(options.replica)),
    onEvent: (event) => {
      if (event.type === 'captured') captures++
      if (event.type === 'failed') failures.push(`${event.operation}: ${event.error.message}`)
      if (event.type === 'resynced') failures.push(`resync: ${event.reason}`)
    },
  },
  { onWriteLock: (milliseconds) => writeLocks.push(milliseconds) },
)
await primary.durable()

function report(pendingFiles: number): ReplicatorReply {
  return { captures, writeLocks, failures, pendingFiles, peakBytes: peakMemory() }
}

process.on('message', async () => {
  const { pendingFiles } = await primary.close()
  process.send?.(report(pendingFiles), () => process.disconnect())
})
process.on('disconnect', () => process.exit())
process.send?.(report(0))
