import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { compareImages, databaseImage } from '@sqlstream/testkit'
import { describe, expect, it, vi } from 'vitest'
import type { Failpoint } from '../../src/index.ts'
import { ReadHold } from '../../src/sqlite/connection.ts'
import { DatabaseFiles } from '../../src/sqlite/database-files.ts'
import { Holder } from '../../src/sqlite/holder.ts'
import { saltsOf } from './support/forge.ts'
import { lockedBytes, READ_SLOT_0 } from './support/locks.ts'
import { addRows, Scene } from './support/scene.ts'
import { slowSnapshots } from './support/slow-store.ts'

/** Waits until our locks on the read slots are as wanted. */
async function slots(scene: Scene, fit: (slots: readonly number[]) => boolean): Promise<void> {
  for (;;) {
    const held = lockedBytes(`${scene.database}-shm`)
      .filter((byte) => byte >= READ_SLOT_0)
      .map((byte) => byte - READ_SLOT_0)
    if (held.length > 0 && fit(held)) return
    await sleep(5)
  }
}

/** `busy`, frames in the WAL, frames in the database, as `PRAGMA wal_checkpoint` of the application answers. */
function checkpoint(scene: Scene, mode: string): number[] {
  return scene.app.query(`PRAGMA wal_checkpoint(${mode})`)[0] as number[]
}

describe.runIf(process.platform === 'linux')('what others can do while we hold the WAL', () => {
  it('C1: in a slot above 0 we forbid every restart, and frames past our mark stay in the WAL', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    await primary.durable()
    scene.app.run(addRows(20, 3000))
    await primary.sync()
    await slots(scene, (held) => !held.includes(0))
    // No event loop turns between here and the end: the holder stays where it is.
    const mark = primary.status.walFrames
    const salts = saltsOf(`${scene.database}-wal`)
    scene.app.run(addRows(20, 3000))
    const [, frames, copied] = checkpoint(scene, 'PASSIVE')
    expect(frames).toBeGreaterThan(mark)
    expect(copied).toBeLessThanOrEqual(mark)
    for (const mode of ['FULL', 'RESTART', 'TRUNCATE']) expect(checkpoint(scene, mode)[0]).toBe(1)
    scene.app.run(addRows(1))
    expect(saltsOf(`${scene.database}-wal`)).toEqual(salts)
    await scene.expectSamePages()
  })

  it('C2: in slot 0 nobody copies frames, so the WAL restarts once and no second time', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    scene.app.run(addRows(20, 3000))
    await primary.checkpoint()
    await slots(scene, (held) => held.includes(0))
    const first = saltsOf(`${scene.database}-wal`)
    scene.app.run(addRows(1))
    const second = saltsOf(`${scene.database}-wal`)
    expect(second).not.toEqual(first)
    expect(checkpoint(scene, 'PASSIVE')[2]).toBe(0)
    expect(checkpoint(scene, 'RESTART')[0]).toBe(1)
    scene.app.run(addRows(1))
    expect(saltsOf(`${scene.database}-wal`)).toEqual(second)
    await primary.durable()
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages()
  })

  it.each([
    ['RESTART', 3],
    ['TRUNCATE', 40],
  ])(
    'C4: locks that were lost are found out, and the database is compared (%s, %i rows)',
    async (mode, rows) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate({ syncIntervalMs: 60_000 })
      await primary.durable()
      scene.app.run(addRows(20, 3000))
      await primary.sync()
      await slots(scene, (held) => !held.includes(0))
      scene.app.run("INSERT INTO t(v) VALUES('never in a WAL that we read')")
      // What must never happen, and here does: a descriptor of the -shm file is closed in our process.
      closeSync(openSync(`${scene.database}-shm`, 'r'))
      expect(lockedBytes(`${scene.database}-shm`)).toEqual([])
      expect(checkpoint(scene, mode)[0]).toBe(0)
      for (let i = 0; i < rows; i++) scene.app.run(addRows(1))
      await primary.durable()
      expect(scene.seen('resynced')).toHaveLength(1)
      expect(scene.seen('snapshotted')).toHaveLength(1)
      expect(await scene.ask("SELECT count(*) FROM t WHERE v LIKE 'never%'")).toBe(1)
      await slots(scene, (held) => held.length > 0)
      await scene.expectSamePages()
    },
  )

  it('K4: strong checkpoints of the application get through while it goes on writing', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    await primary.durable()
    scene.app.open(scene.database, 'other', 30_000)
    for (const mode of ['FULL', 'RESTART', 'TRUNCATE']) {
      scene.app.run(addRows(50, 3000))
      const [[busy] = []] = await scene.app.queryBeside(`PRAGMA wal_checkpoint(${mode})`, 'other')
      expect(busy).toBe(0)
    }
    await primary.durable()
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages(['main', 'other'])
  })

  it('K4: an idle database is checkpointed whole, and its WAL may restart', async () => {
    await using scene = await Scene.begin()
    await scene.replicate()
    scene.app.run(addRows(50, 3000))
    await scene.event((event) => event.type === 'checkpointed' && event.complete)
    await slots(scene, (held) => held.includes(0))
    const salts = saltsOf(`${scene.database}-wal`)
    scene.app.run(addRows(1))
    expect(saltsOf(`${scene.database}-wal`)).not.toEqual(salts)
    await scene.expectSamePages()
  })
})

describe('a move of the holder', () => {
  it.each([
    ['end', 'PASSIVE'],
    ['end', 'RESTART'],
    ['end', 'TRUNCATE'],
    ['begin', 'PASSIVE'],
    ['begin', 'RESTART'],
    ['begin', 'TRUNCATE'],
  ] as const)(
    'C3: at every %s of a read transaction of ours the WAL is kept for us (%s by the application)',
    async (step, mode) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate({ syncIntervalMs: 60_000 })
      await primary.durable()
      let gaps = 0
      let rows = 0
      const insert = (): void => {
        try {
          scene.app.run("INSERT INTO t(v) VALUES('gap')")
          rows++
        } catch (error) {
          // Kept out by our barrier.
          expect(error).toMatchObject({ code: 'SQLITE_BUSY' })
        }
      }
      const original = ReadHold.prototype[step]
      const spy = vi.spyOn(ReadHold.prototype, step).mockImplementation(function (this: ReadHold) {
        original.call(this)
        gaps++
        // Frames that nobody has captured, and an application that would like to be rid of them.
        insert()
        checkpoint(scene, mode)
        insert()
      })
      try {
        for (let i = 0; i < 4; i++) {
          scene.app.run(addRows(20, 3000))
          await primary.checkpoint()
        }
      } finally {
        spy.mockRestore()
      }
      expect(gaps).toBeGreaterThan(10)
      await primary.durable()
      expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'gap'")).toBe(rows)
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages()
    },
  )

  it.each(['before', 'in the middle of', 'never during'] as const)(
    'C3, C4: excuses no restart when its capture fails (everything is copied %s the move)',
    async (when) => {
      await using scene = await Scene.begin()
      scene.app.run(addRows(20, 3000))
      const files = DatabaseFiles.open(scene.database)
      const holder = new Holder(files, (name) => {
        if (when === 'in the middle of' && name === 'holder:between') checkpoint(scene, 'PASSIVE')
      })
      try {
        holder.attach()
        files.openIndex()
        if (when === 'before') checkpoint(scene, 'PASSIVE')
        const failing = async (): Promise<void> => {
          throw new Error('disk full')
        }
        await holder.move(failing).catch((error: Error) => expect(error.message).toBe('disk full'))
        expect(holder.restartIsCaptured).toBe(false)
      } finally {
        holder.close()
        files.close()
      }
    },
  )
})

describe('the order of things', () => {
  it('C5: what is captured is on the disk before the holder moves', async () => {
    await using scene = await Scene.begin()
    const passed: Failpoint[] = []
    const primary = await scene.replicate({ failpoint: (name) => passed.push(name) })
    await primary.durable()
    for (let i = 0; i < 5; i++) {
      scene.app.run(addRows(20, 3000))
      await primary.checkpoint()
    }
    const moves = passed.flatMap((name, i) => (name === 'holder:between' ? [i] : []))
    expect(moves.length).toBeGreaterThan(5)
    for (const at of moves) {
      const before = passed.slice(0, at)
      const begun = before.lastIndexOf('encode:before')
      for (const step of ['spool:after-rename', 'journal:after-append'] as const) {
        if (begun >= 0) expect(before.lastIndexOf(step)).toBeGreaterThan(begun)
      }
    }
    await scene.expectSamePages()
  })

  it('K1, P5: a barrier whose time is over lets writers in, and nothing is lost', async () => {
    await using scene = await Scene.begin()
    const maxBarrierMs = 40
    let waited = 0
    let armed = false
    const primary = await scene.replicate({
      maxBarrierMs,
      checkpointFrames: 100_000,
      failpoint: (name) => {
        if (!armed) return
        // A tail that the unblocked checkpoint did not see.
        if (name === 'checkpoint:before' && waited === 0) scene.app.run("INSERT INTO t(v) VALUES('tail')")
        if (name !== 'barrier:held') return
        // We are as stuck as can be, and yet the application must get its turn.
        const from = performance.now()
        scene.app.run("INSERT INTO t(v) VALUES('in time')", 'patient')
        waited = performance.now() - from
      },
    })
    await primary.durable()
    scene.app.open(scene.database, 'patient', 30_000)
    scene.app.run(addRows(50, 3000))
    armed = true
    await primary.checkpoint()
    armed = false
    expect(waited).toBeGreaterThan(0)
    await primary.durable()
    expect(await scene.ask("SELECT count(*) FROM t WHERE v IN ('tail', 'in time')")).toBe(2)
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages(['main', 'patient'])
  })

  it('K2: while a snapshot is read, no checkpoint of ours runs and the holder stays', async () => {
    const { promise: release, resolve } = Promise.withResolvers<void>()
    await using scene = await Scene.begin({
      wrap: (store) => slowSnapshots(store, async (chunk) => (chunk === 0 ? release : undefined)),
    })
    const passed: Failpoint[] = []
    const primary = await scene.replicate({ checkpointFrames: 10, failpoint: (name) => passed.push(name) })
    const before = lockedBytes(`${scene.database}-shm`)
    for (let i = 0; i < 5; i++) {
      scene.app.run(addRows(50, 3000))
      await primary.sync()
    }
    await expect(primary.checkpoint()).rejects.toMatchObject({ code: 'busy' })
    expect(passed.filter((name) => name.startsWith('holder') || name.startsWith('checkpoint'))).toEqual([])
    expect(lockedBytes(`${scene.database}-shm`)).toEqual(before)
    resolve()
    await scene.event((event) => event.type === 'checkpointed')
    await scene.expectSamePages()
  })

  it('P4: nothing is written into the database', async () => {
    await using scene = await Scene.begin()
    scene.app.run(addRows(50, 3000))
    checkpoint(scene, 'TRUNCATE')
    await databaseImage(scene.database, scene.folder.join('then.db'))
    const files = readFileSync(scene.folder.join('then.db'))
    const primary = await scene.replicate()
    await primary.durable()
    await primary.checkpoint()
    await primary.checkpoint('truncate')
    await primary.close()
    expect(readFileSync(`${scene.database}-wal`)).toHaveLength(0)
    scene.app.close()
    expect(compareImages(scene.database, scene.folder.join('then.db'))).toMatchObject({ equal: true })
    expect(readFileSync(scene.database).equals(files)).toBe(true)
    scene.app.open(scene.database)
    expect(scene.app.query('SELECT name FROM sqlite_schema')).toEqual([['t']])
  })
})
