// The program of Replicator: one Primary in a process of its own, asked over IPC.
import { readFileSync } from 'node:fs'
import { Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { killAt, Primary } from '../../../src/index.ts'
import type { ReplicatorOptions, Reply, Task } from './replicator.ts'

const { database, replica, failpoint, ...options } = JSON.parse(process.argv[2] ?? '') as ReplicatorOptions
let primary: Primary | undefined

async function perform(task: Task): Promise<unknown> {
  if (task === 'open') {
    primary = await Primary.open({
      database,
      replica: new Replica(new FileStore(replica)),
      ...options,
      ...(failpoint !== undefined && { failpoint: killAt(failpoint) }),
    })
    return undefined
  }
  if (task === 'peakMemory') {
    // Bytes of memory at the highest, as the kernel counted them.
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return Number(peak) * 1024
  }
  if (primary === undefined) throw new TypeError('open comes first')
  if (task === 'close') return (await primary.close()).pendingFiles
  if (task === 'checkpoint') return primary.checkpoint()
  return Number((await primary[task]()).txid)
}

process.on('message', (task: Task) => {
  perform(task).then(
    (value) => process.send?.({ value } satisfies Reply),
    (error: Error) => process.send?.({ error: error.message } satisfies Reply),
  )
})
// Whoever asks is gone.
process.on('disconnect', () => process.exit(1))
