import { restorableTXIDs } from '@sqlstream/replica'
import { checkPrefix, compareImages, databaseImage, WriterProcess } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { addRows, query, Scene } from './support/scene.ts'
import { slowSnapshots } from './support/slow-store.ts'

const MEGABYTES = Number(process.env['SQLSTREAM_SNAPSHOT_MB'] ?? 40)

/** A promise and what settles it. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}

describe('a snapshot that is uploaded slowly', () => {
  it('T01: holds the state it was begun at, although it is read long after, and everything was overwritten and checkpointed meanwhile', async () => {
    const begun = gate()
    const go = gate()
    await using scene = await Scene.begin({
      wrap: (store) =>
        slowSnapshots(store, async (chunk) => {
          if (chunk > 0) return
          begun.open()
          await go.passed
        }),
    })
    scene.app.run(addRows(MEGABYTES * 10, 100_000))
    scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')
    // Some of it in the database file, some in the WAL.
    scene.app.run('CREATE TABLE kv(k PRIMARY KEY, v); INSERT INTO kv VALUES(1, 0)')
    const primary = await scene.replicate()
    await begun.passed
    const txid = primary.status.captured!.txid
    await databaseImage(scene.database, scene.folder.join('then.db'))
    for (let i = 1; i <= 1000; i++) {
      scene.app.run(
        `BEGIN; UPDATE kv SET v = ${i}; UPDATE t SET v = randomblob(100) WHERE id = ${(i * 7) % (MEGABYTES * 10)}; COMMIT`,
      )
      if (i % 100 !== 0) continue
      scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')
      await primary.sync()
    }
    go.open()
    await primary.durable()
    const { path } = await scene.restore('at-then.db', { kind: 'txid', txid })
    expect(compareImages(path, scene.folder.join('then.db'))).toMatchObject({ equal: true })
    expect(query(path, 'SELECT v FROM kv')).toBe(0)
    expect(await scene.files(9)).toHaveLength(1)
    await scene.expectSamePages()
  })

  it('T02: under a load of writes and checkpoints, it and every later restore point are sound', async () => {
    let writer: WriterProcess | undefined
    let chunks = 0
    await using scene = await Scene.begin({
      wrap: (store) =>
        slowSnapshots(store, async (chunk) => {
          chunks = chunk
          // A chunk is read only after the writer has come further.
          if (writer !== undefined) await writer.waitForCommits(writer.committed() + 20)
        }),
    })
    scene.app.run(addRows(80, 100_000))
    const { database } = scene
    const commitLog = scene.folder.join('commits')
    writer = await WriterProcess.start({
      database,
      commitLog,
      rate: 2000,
      mix: { insert: 0.5, update: 0.3, checkpointPassive: 0.01 },
    })
    const primary = await scene.replicate({ checkpointFrames: 500, syncIntervalMs: 50 })
    await scene.event((event) => event.type === 'snapshotted')
    expect(chunks).toBeGreaterThan(20)
    // Several restore points, however many captures one upload merges.
    let before = 0
    for (let round = 0; round < 8; round++) {
      await writer.waitForCommits(writer.committed() + 25)
      before = writer.committed()
      await primary.durable()
    }
    await writer.stop()
    await primary.durable()
    const points = restorableTXIDs(await scene.replica.catalog())
    expect(points.length).toBeGreaterThan(5)
    // Each as many as time allows: the first, the last, and some in between.
    const step = Math.ceil(points.length / 12)
    for (const txid of points.filter((_, i) => i % step === 0 || i === points.length - 1)) {
      const { path } = await scene.restore('point.db', { kind: 'txid', txid })
      checkPrefix(path, commitLog, { atLeast: txid === points.at(-1) ? before : 1 })
    }
    expect(scene.seen('failed')).toEqual([])
    await scene.expectSamePages()
  })
})
