// Restores over a database and kills itself before its n-th step on disk, or with n = 0 prints the steps:
// node restore-main.ts <replica> <target> <n>
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'

const [folder = '', target = '', n = ''] = process.argv.slice(2)
const replica = new Replica(new FileStore(folder))
const plan = planRestore(await replica.catalog(), { kind: 'latest' })
const steps: string[] = []
for (const name of ['writeSync', 'ftruncateSync', 'fsync', 'linkSync', 'renameSync'] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown
  const counted = (...args: unknown[]): unknown => {
    steps.push(name)
    if (steps.length === Number(n)) process.kill(process.pid, 'SIGKILL')
    return original(...args)
  }
  Object.assign(fs, { [name]: counted })
}
syncBuiltinESMExports()
await restore(replica, plan, fileSink(target, { overwrite: true }))
console.log(JSON.stringify(steps))
