import { pathToFileURL } from 'node:url'
import { formatTXID } from '@sqlstream/ltx'
import { headOf, Replica, restorableTXIDs } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { checkPrefix, compareImages, peerOrReason, TempFolder, WriterProcess } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { dumpOf, restoreOurs } from './live-replica.ts'

const cli = await peerOrReason('litestream-cli')

describe('a replica that the Litestream program made of a live database', () => {
  it.for([1024, 4096])(
    'is restored by us to the same rows (pages of %i bytes)',
    async (pageSize, context) => {
      if ('reason' in cli) return context.skip(cli.reason)
      using folder = new TempFolder('interop')
      const database = folder.join('app.db')
      const commitLog = folder.join('commits')
      const mix = { insert: 0.4, update: 0.2, delete: 0.1, largeRow: 0.02, schema: 0.03 }
      const writing = { database, commitLog, pageSize, mix, rate: 200 }
      const url = pathToFileURL(folder.join('replica')).href
      await (await WriterProcess.start({ ...writing, commits: 20 })).finished()
      {
        await using replication = await cli.replicate(database, url)
        await (await WriterProcess.start({ ...writing, commits: 500 })).finished()
        await replication.stop()
      }
      const replica = new Replica(new FileStore(folder.join('replica')))
      await restoreOurs(replica, folder.join('ours.db'))
      checkPrefix(folder.join('ours.db'), commitLog, { atLeast: 520, inFlight: 0 })
      expect(await dumpOf(folder.join('ours.db'))).toBe(await dumpOf(database))

      // Byte for byte what the program itself restores, at the head and at each TXID we offer.
      const catalog = await replica.catalog()
      const txids = restorableTXIDs(catalog)
      expect(txids.at(-1)).toBe(headOf(catalog))
      for (const txid of txids.map(formatTXID)) {
        await restoreOurs(replica, folder.join(`${txid}-ours.db`), txid)
        await cli.restore(url, folder.join(`${txid}.db`), { txid })
        expect(compareImages(folder.join(`${txid}.db`), folder.join(`${txid}-ours.db`))).toMatchObject({
          equal: true,
        })
      }
    },
  )
})
