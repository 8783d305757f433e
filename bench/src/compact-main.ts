// Merges all that leads to the newest state of a replica into a snapshot, in a process of its own, to see what memory that takes, and
// removes it.
// Argument: URL of the replica.
import { assumeSoleWriter, type LTXFile, makeSnapshot, Replica } from '@sqlstream/replica'
import { fileDriver } from '@sqlstream/storage-file'
import { peakMemory } from './process-figures.ts'
import type { RestoreReply } from './restore-main.ts'

const store = await fileDriver.open(new URL(JSON.parse(process.argv[2] ?? '') as string))
const replica = new Replica(store)
const writer = replica.writer(assumeSoleWriter('bench'))
const made: LTXFile[] = []
const idleBytes = peakMemory()
await makeSnapshot(replica, writer, await replica.catalog(), { onMerged: ({ file }) => made.push(file) })
const peakBytes = peakMemory()
// So that it can be done again.
await writer.remove(made)
process.send?.({ idleBytes, peakBytes } satisfies RestoreReply, () => process.disconnect())
