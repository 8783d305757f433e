// Restores a replica in a process of its own, to see what memory that takes. Argument: RestoreOptions.
import { rmSync } from 'node:fs'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { createKernelPool, fileSink } from '@sqlstream/replica/node'
import { fileDriver } from '@sqlstream/storage-file'
import { s3Driver } from '@sqlstream/storage-s3'
import { peakMemory } from './process-figures.ts'

/** What to restore, and into which file, which is replaced. */
export interface RestoreOptions {
  /** URL, `file:` or `s3:`. */
  readonly replica: string
  readonly output: string
}

/** What that took. */
export interface RestoreReply {
  /** Peak of the process before it began. */
  readonly idleBytes: number
  readonly peakBytes: number
}

const options = JSON.parse(process.argv[2] ?? '') as RestoreOptions
rmSync(options.output, { force: true })
const url = new URL(options.replica)
await using store = await (url.protocol === 's3:' ? s3Driver : fileDriver).open(url)
const replica = new Replica(store)
const idleBytes = peakMemory()
const plan = planRestore(await replica.catalog(), { kind: 'latest' })
await restore(replica, plan, fileSink(options.output), { pool: createKernelPool })
process.send?.({ idleBytes, peakBytes: peakMemory() } satisfies RestoreReply, () => process.disconnect())
