// A process that commits, merges and removes as fast as it can, until it is killed; writes a dot after each round: node maintain-and-die.ts <store>
import { FileStore } from '@sqlstream/storage-file'
import { BusyReplica, KEEP } from './busy-replica.ts'

const busy = new BusyReplica(KEEP, { store: new FileStore(process.argv[2] ?? '') })
await busy.catchUp()
for (;;) {
  await busy.tick()
  process.stdout.write('.')
}
