import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { checkPrefix, WriterProcess } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { type Failpoint, type FailpointHook, isPrimaryError, type Primary } from '../../src/index.ts'
import { assertSafeEngine } from '../../src/sqlite/engine-gate.ts'
import { lockedBytes, READ_SLOT_0 } from './support/locks.ts'
import { addRows, Scene } from './support/scene.ts'

const SOAK = Number(process.env['SQLSTREAM_SOAK_COMMITS'] ?? 3000)

/** Runs something the first `times` times that a failpoint is passed after it was armed. */
function at(
  name: Failpoint,
  times: number,
  work: () => void,
): { hook: FailpointHook; arm(): void; ran: () => number } {
  let left = 0
  let ran = 0
  const hook: FailpointHook = (passed) => {
    if (passed !== name || left === 0) return
    left--
    ran++
    work()
  }
  return { hook, arm: () => (left = times), ran: () => ran }
}

/** A TRUNCATE that may find others in its way: then it has done nothing, and says so. */
async function truncate(primary: Primary): Promise<void> {
  await primary.checkpoint('truncate').catch((error: unknown) => {
    if (!isPrimaryError(error, 'busy')) throw error
  })
}

describe('checkpoints beside a writing application', () => {
  it.each(['holder:between', 'checkpoint:before', 'checkpoint:after'] as const)(
    'C3, T03: commits at %s are in the replica, although the WAL restarts',
    async (where) => {
      await using scene = await Scene.begin()
      // A move under the barrier is one of them: writers wait there until its time is over.
      scene.app.run('PRAGMA busy_timeout=1000')
      const pause = at(where, 3, () => {
        for (let i = 0; i < 10; i++) scene.app.run("INSERT INTO t(v) VALUES('paused')")
      })
      const primary = await scene.replicate({ failpoint: pause.hook })
      await primary.durable()
      scene.app.run(addRows(200, 900))
      pause.arm()
      await primary.checkpoint()
      expect(pause.ran()).toBeGreaterThan(0)
      // Until the WAL has restarted at least once.
      scene.app.run("INSERT INTO t(v) VALUES('next')")
      await primary.checkpoint()
      scene.app.run("INSERT INTO t(v) VALUES('last')")
      await primary.durable()
      expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'paused'")).toBe(pause.ran() * 10)
      expect(scene.seen('resynced')).toEqual([])
      expect(scene.seen('snapshotted')).toHaveLength(1)
      await scene.expectSamePages()
    },
  )

  it('P1, T03: four writers, checkpoints all the time, and a restore again and again', async () => {
    await using scene = await Scene.begin()
    const logs = [1, 2, 3, 4].map((n) => scene.folder.join(`commits${n}`))
    const { database } = scene
    const writers = await Promise.all(
      logs.map((commitLog, n) =>
        WriterProcess.start({ database, commitLog, seed: n, autoCheckpoint: 50, busyTimeoutMs: 30_000 }),
      ),
    )
    const primary = await scene.replicate({ checkpointFrames: 20, syncIntervalMs: 5 })
    const committed = (): number => Math.max(...writers.map((writer) => writer.committed()))
    let restores = 0
    const cycles = (): number => scene.seen('checkpointed').length
    for (const end = committed() + SOAK; committed() < end || restores < 3 || cycles() < 4; restores++) {
      const before = committed()
      await primary.durable()
      const { path } = await scene.restore()
      checkPrefix(path, logs, { atLeast: before })
    }
    await Promise.all(writers.map((writer) => writer.stop()))
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages()
  })

  it.each(['holder:between', 'checkpoint:before', 'checkpoint:after'] as const)(
    'T04: a TRUNCATE checkpoint loses nothing that was committed at %s',
    async (where) => {
      await using scene = await Scene.begin()
      // A move under the barrier is one of them: writers wait there until its time is over.
      scene.app.run('PRAGMA busy_timeout=1000')
      scene.app.open(scene.database, 'other')
      const pause = at(where, 2, () => {
        scene.app.run(addRows(10))
        // The application tries the same at the worst moment; busy or not, nothing may be lost.
        scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)', 'other')
        scene.app.run("INSERT INTO t(v) VALUES('paused')")
      })
      const primary = await scene.replicate({ failpoint: pause.hook })
      await primary.durable()
      scene.app.run(addRows(100, 900))
      pause.arm()
      await truncate(primary)
      scene.app.run("INSERT INTO t(v) VALUES('after')")
      await truncate(primary)
      await primary.durable()
      expect(pause.ran()).toBeGreaterThan(0)
      expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'paused'")).toBe(pause.ran())
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages(['main', 'other'])
    },
  )

  it('T05: a PASSIVE checkpoint after which the WAL restarts costs neither a frame nor a snapshot', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000, checkpointFrames: 100_000 })
    await primary.durable()
    scene.app.run(addRows(5))
    scene.app.open(scene.database, 'reader')
    scene.app.run('BEGIN; SELECT count(*) FROM t', 'reader')
    scene.app.query('SELECT count(*) FROM t', 'reader')
    for (let i = 0; i < 500; i++) scene.app.run('INSERT INTO t(v) VALUES(zeroblob(3000))')
    await primary.checkpoint()
    const frames = primary.status.walFrames
    expect(frames).toBeGreaterThan(500)
    // The reader still needs the WAL, so it may not restart.
    scene.app.run("INSERT INTO t(v) VALUES('not yet')")
    expect(primary.status.walFrames).toBeGreaterThan(frames)
    scene.app.run('COMMIT', 'reader')
    await primary.checkpoint()
    scene.app.run("INSERT INTO t(v) VALUES('restarts')")
    expect(primary.status.walFrames).toBeLessThan(10)
    await primary.durable()
    const files = await scene.files()
    for (let i = 1; i < files.length; i++) expect(files[i]!.minTXID).toBe(files[i - 1]!.maxTXID + 1n)
    expect((await scene.read(files.at(-1)!)).pgnos.length).toBeLessThan(10)
    expect(scene.seen('snapshotted')).toHaveLength(1)
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages(['main', 'reader'])
  })
})

describe("SQLite's WAL-reset bug", () => {
  it.each(['3.7.0', '3.44.5', '3.45.0', '3.49.2', '3.50.6', '3.51.0', '3.51.2'])(
    'T06: refuses SQLite %s',
    (version) => {
      expect(() => assertSafeEngine(version)).toThrow(expect.objectContaining({ code: 'unsafe-sqlite' }))
    },
  )

  it.each(['3.44.6', '3.44.9', '3.50.7', '3.50.9', '3.51.3', '3.53.0', '4.0.0'])(
    'T06: accepts SQLite %s',
    (version) => {
      assertSafeEngine(version)
    },
  )

  it('T06: the engine of this process passes', () => {
    assertSafeEngine()
  })

  it.each([
    [3051002, 1],
    [3049002, 1],
    [3051003, 0],
    [3050007, 0],
  ])('T06: an application that wrote with SQLite number %i gets %i warnings', async (version, warnings) => {
    await using scene = await Scene.begin()
    scene.app.close()
    // The version that wrote last stands at offset 96 of the database.
    const fd = openSync(scene.database, 'r+')
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, version)
    writeSync(fd, bytes, 0, 4, 96)
    closeSync(fd)
    await scene.replicate()
    const seen = scene.seen('warning').filter((event) => event.code === 'application-engine')
    expect(seen).toHaveLength(warnings)
    if (warnings > 0) expect(seen[0]).toMatchObject({ hint: expect.stringContaining('3.51.3') })
  })

  it.runIf(process.platform === 'linux')(
    'T06: while a checkpoint of ours runs, no commit of others can restart the WAL',
    async () => {
      await using scene = await Scene.begin()
      let looked = 0
      const salts = (): string => readFileSync(`${scene.database}-wal`).subarray(16, 24).toString('hex')
      const primary = await scene.replicate({
        checkpointFrames: 100_000,
        failpoint: (name) => {
          if (name === 'barrier:held') {
            looked++
            // Everybody else is kept out while the tail is copied.
            expect(() => scene.app.run("INSERT INTO t(v) VALUES('kept out')", 'main', 0)).toThrow(
              expect.objectContaining({ code: 'SQLITE_BUSY' }),
            )
          }
          if (name !== 'checkpoint:before') return
          looked++
          const before = salts()
          const inSlotZero = lockedBytes(`${scene.database}-shm`).includes(READ_SLOT_0)
          scene.app.run("INSERT INTO t(v) VALUES('beside')")
          // In slot 0 the WAL may restart, but then a checkpoint cannot copy a frame: that lock is in its way.
          if (!inSlotZero) expect(salts()).toBe(before)
        },
      })
      await primary.durable()
      for (let i = 0; i < 10; i++) {
        scene.app.run(addRows(20, 2000))
        await primary.checkpoint()
        await primary.checkpoint()
      }
      expect(looked).toBeGreaterThan(20)
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages()
    },
  )

  it('T06: three writers of tiny transactions under incessant checkpoints stay sound, live and restored', async () => {
    await using scene = await Scene.begin()
    const logs = [1, 2, 3].map((n) => scene.folder.join(`commits${n}`))
    const { database } = scene
    const writers = await Promise.all(
      logs.map((commitLog, n) =>
        WriterProcess.start({ database, commitLog, seed: n, autoCheckpoint: 0, busyTimeoutMs: 30_000 }),
      ),
    )
    const primary = await scene.replicate({ checkpointFrames: 1, syncIntervalMs: 1 })
    await primary.durable()
    const committed = (): number => Math.max(...writers.map((writer) => writer.committed()))
    for (const end = committed() + SOAK; committed() < end; ) {
      await primary.checkpoint()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await Promise.all(writers.map((writer) => writer.stop()))
    await primary.durable()
    const { path } = await scene.restore()
    checkPrefix(path, logs, { atLeast: committed(), inFlight: 0 })
    expect(scene.app.value('PRAGMA integrity_check')).toBe('ok')
    await scene.expectSamePages()
  })
})
