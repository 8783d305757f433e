// Restores a replica in a process of its own, to see what memory that takes. Argument: RestoreOptions.
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { createKernelPool, fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { peakMemory } from './process-figures.ts'

/** What to restore, and into which file. */
export interface RestoreOptions {
  readonly replica: string
  readonly output: string
}

const options = JSON.parse(process.argv[2] ?? '') as RestoreOptions
const replica = new Replica(new FileStore(options.replica))
const plan = planRestore(await replica.catalog(), { kind: 'latest' })
await restore(replica, plan, fileSink(options.output), { pool: createKernelPool })
process.send?.({ peakBytes: peakMemory() }, () => process.disconnect())
