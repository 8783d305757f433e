// Merges all that leads to the newest state of a replica into a snapshot, in a process of its own, to see what memory that takes.
// Argument: URL of the replica.
import { assumeSoleWriter, makeSnapshot, Replica } from '@sqlstream/replica'
import { fileDriver } from '@sqlstream/storage-file'
import { peakMemory } from './process-figures.ts'
import type { RestoreReply } from './restore-main.ts'

const store = await fileDriver.open(new URL(JSON.parse(process.argv[2] ?? '') as string))
const replica = new Replica(store)
const idleBytes = peakMemory()
await makeSnapshot(replica, replica.writer(assumeSoleWriter('bench')), await replica.catalog())
process.send?.({ idleBytes, peakBytes: peakMemory() } satisfies RestoreReply, () => process.disconnect())
