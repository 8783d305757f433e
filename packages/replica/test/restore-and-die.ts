// A process that restores over a database and kills itself before its n-th step on disk:
// node restore-and-die.ts <store> <target> <n> [<options of the sink as JSON>]
import { FileStore } from '@sqlstream/storage-file'
import { planRestore, Replica, restore } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { beforeDiskSteps } from './disk-steps.ts'

const [store = '', target = '', n = '', options = '{"overwrite":true}'] = process.argv.slice(2)
const replica = new Replica(new FileStore(store))
const plan = planRestore(await replica.catalog(), { kind: 'latest' })
beforeDiskSteps((step) => {
  if (step === Number(n)) process.kill(process.pid, 'SIGKILL')
})
await restore(replica, plan, fileSink(target, JSON.parse(options)))
