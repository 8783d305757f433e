import { restorableTXIDs } from '@sqlstream/replica'
import { describe, expect, it } from 'vitest'
import { Replicator } from './support/replicator.ts'
import { addRows, Scene } from './support/scene.ts'

/** 5000 in a soak. */
const MEGABYTES = Number(process.env['SQLSTREAM_TRANSACTION_MB'] ?? 300)
const ROW = 100_000
/**
 * Buffers that wait for the collector, however large the transaction, and what is noted of each page: number, frame
 * and checksum, grown by doubling. Half of the transaction would already be more.
 */
const MOST_GROWTH = 140e6 + (MEGABYTES * 1e6 * 96) / 4096

describe('one very large transaction', () => {
  it.runIf(process.platform === 'linux')(
    'T51: is streamed: memory does not grow with it, and no restore point shows a part of it',
    async () => {
      await using scene = await Scene.begin()
      await using replicator = await Replicator.start({
        database: scene.database,
        replica: scene.folder.join('replica'),
      })
      // What any capture of several batches needs, the reading in two passes included.
      const small = 600
      scene.app.run(addRows(small, ROW))
      await replicator.ask('durable')
      const before = (await replicator.ask('peakMemory')) as number
      const large = MEGABYTES * 10
      scene.app.run(`PRAGMA cache_size=-4000; BEGIN; ${addRows(large / 2, ROW)}`)
      // In the middle of it: frames are there, a commit is not.
      await replicator.ask('durable')
      scene.app.run(`${addRows(large / 2, ROW)}; COMMIT`)
      await replicator.ask('durable')
      const after = (await replicator.ask('peakMemory')) as number
      expect(after - before).toBeLessThan(MOST_GROWTH)
      const counts = new Set<unknown>()
      for (const txid of restorableTXIDs(await scene.replica.catalog())) {
        counts.add(await scene.ask('SELECT count(*) FROM t', { kind: 'txid', txid }))
      }
      expect([...counts].sort()).toEqual([0, small, small + large].sort())
      await replicator.ask('close')
      await scene.expectSameRows()
    },
    600_000,
  )
})
