import { closeSync, openSync } from 'node:fs'
import { createHeader, Encoder, type Header, toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter, Replica, restorableTXIDs } from '@sqlstream/replica'
import { MemoryStore, withFaults } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import type { LiveSnapshot } from '../../src/capture/context.ts'
import { Spool } from '../../src/state/spool.ts'
import { Uploader } from '../../src/upload.ts'
import { addRows, query, Scene } from './support/scene.ts'
import { slowSnapshots } from './support/slow-store.ts'

/** A file of one page. */
function encoded(header: Header): Uint8Array {
  const encoder = new Encoder(header)
  const page = { pgno: 1, data: new Uint8Array(header.pageSize) }
  return Buffer.concat([encoder.start(), encoder.page(page).slice(), encoder.finish()])
}

describe('a snapshot that lost its ground', () => {
  it('T68: pages that change because our locks were lost never reach the replica; another snapshot is taken', async () => {
    const begun = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    await using scene = await Scene.begin({
      wrap: (store) =>
        slowSnapshots(store, async (chunk) => {
          if (chunk > 0) return
          begun.resolve()
          await go.promise
        }),
    })
    scene.app.run(addRows(500, 3000))
    const primary = await scene.replicate()
    await begun.promise
    for (let i = 0; i < 3; i++) {
      scene.app.run(addRows(1))
      await primary.sync()
    }
    // A descriptor is closed in our process, and the application's checkpoint writes over what we read.
    closeSync(openSync(`${scene.database}-shm`, 'r'))
    scene.app.run('UPDATE t SET v = randomblob(3000)')
    expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]?.[0]).toBe(0)
    scene.app.run('UPDATE t SET v = randomblob(3000)')
    go.resolve()
    await scene.event((event) => event.type === 'snapshotted')
    expect(scene.seen('failed').map((event) => event.operation)).toContain('snapshot')
    expect(scene.seen('snapshotted')).toHaveLength(1)
    scene.app.run(addRows(1))
    await primary.durable()
    for (const txid of restorableTXIDs(await scene.replica.catalog())) {
      const { path } = await scene.restore('point.db', { kind: 'txid', txid })
      expect(query(path, 'PRAGMA integrity_check')).toBe('ok')
    }
    await scene.expectSamePages()
  })
})

describe('the queue of uploads', () => {
  it('T37: a snapshot that takes the place of files in the middle of an upload is uploaded, and counts come out even', async () => {
    using folder = new TempFolder()
    const gate = Promise.withResolvers<void>()
    const inFlight = Promise.withResolvers<void>()
    const wait = (): Promise<void> => {
      inFlight.resolve()
      return gate.promise
    }
    const store = withFaults(new MemoryStore(), [{ operation: 'put', at: 1, fault: 'delay', wait }])
    const replica = new Replica(store)
    const spool = new Spool(folder.path)
    const uploader = new Uploader(
      {
        writer: replica.writer(assumeSoleWriter('test')),
        captureState: { spool, synced: async () => undefined, acknowledge: () => undefined },
        emit: () => undefined,
        judge: async () => 'foreign',
        onFenced: () => undefined,
        onLate: () => undefined,
        onLost: () => undefined,
      },
      undefined,
    )
    for (const txid of [2n, 3n]) {
      const header = createHeader({
        pageSize: 512,
        commit: 1,
        minTXID: toTXID(txid),
        maxTXID: toTXID(txid),
        timestamp: 1,
      })
      const writer = spool.create()
      writer.write(encoded(header))
      uploader.enqueue({ kind: 'file', file: writer.finish(header) })
    }
    await inFlight.promise
    uploader.discard()
    const done = Promise.withResolvers<void>()
    const header = createHeader({
      pageSize: 512,
      commit: 1,
      minTXID: toTXID(1n),
      maxTXID: toTXID(4n),
      timestamp: 1,
    })
    const snapshot: LiveSnapshot = {
      level: 9,
      header,
      pages: 1,
      body: async function* () {
        yield encoded(header)
      },
    }
    uploader.enqueue({
      kind: 'snapshot',
      snapshot,
      done: () => done.resolve(),
      broken: (error) => done.reject(error),
    })
    gate.resolve()
    await done.promise
    expect(uploader).toMatchObject({ uploaded: 4n, pendingFiles: 0, pendingBytes: 0 })
    await uploader.stop()
  })
})
