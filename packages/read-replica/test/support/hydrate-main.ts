// A hydrated reader in a process of its own, until it is killed. Arguments: folder of the store, path of the copy. Prints a line for whatever happens.
import { withObserver } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { openReplica } from '../../src/node/index.ts'

const [folder = '', path = ''] = process.argv.slice(2)
const tell = (line: string): void => void process.stdout.write(`${line}\n`)
const store = withObserver(new FileStore(folder), ({ operation }) => tell(`request ${operation}`))
const replica = await openReplica({ store, poll: { intervalMs: 1 }, hydrate: { path } })
replica.on('hydrated', ({ txid }) => tell(`hydrated ${txid}`))
replica.on('advance', ({ txid }) => tell(`advance ${txid}`))
replica.on('error', (error) => tell(`error ${error}`))
for (;;) {
  const row = await replica.get<{ a: number; txid: string }>(
    'SELECT a, sqlstream_txid() AS txid FROM t WHERE id = 1',
  )
  tell(`row ${row?.a} ${BigInt(`0x${row?.txid}`)} ${replica.source}`)
}
