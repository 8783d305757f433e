import { copyFileSync, cpSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { planRestore, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { WriterProcess } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import { adoptRestored } from '../../src/index.ts'
import { isSettled, signatureOf, tickOf } from '../../src/sqlite/file-signature.ts'
import { Application } from '../scenarios/support/application.ts'
import { ParkedScene } from './parked-scene.ts'

let scene: ParkedScene
beforeEach(async () => {
  scene = await ParkedScene.begin()
})
afterEach(() => scene[Symbol.asyncDispose]())

describe('an application in a process of its own that writes while nothing replicates', () => {
  const writer = (commits?: number): Promise<WriterProcess> =>
    WriterProcess.start({
      database: scene.path('w.db'),
      commitLog: scene.folder.join('commits'),
      rate: 500,
      ...(commits === undefined ? {} : { commits }),
    })

  async function expectAllInReplica(fleet: Fleet, committed: number): Promise<void> {
    await scene.until(() => fleet.counts.resting === 1)
    expect(scene.states('w.db')).toContain('open')
    // A writer that was killed may have committed one more than it told.
    const [[last] = []] = scene.app.open(scene.path('w.db'), 'w.db').query('SELECT max(n) FROM log', 'w.db')
    expect(last).toBeGreaterThanOrEqual(committed)
    expect(await scene.ask('w.db/', 'SELECT max(n) FROM log')).toBe(last)
  }

  beforeEach(async () => {
    await using first = await writer(5)
    await first.finished()
    await scene.restOnce(['w.db'])
  })

  it.each([
    ['ends in order', (each: WriterProcess) => each.finished()],
    ['is killed', (each: WriterProcess) => each.kill()],
  ])('and %s: its commits wake the database (Q4)', async (what, end) => {
    await using second = await writer(what === 'is killed' ? undefined : 20)
    await end(second)
    const fleet = await scene.replicate()
    await expectAllInReplica(fleet, second.committed())
  })

  it('and goes on while it is looked at (Q4, F3)', async () => {
    const starting = writer()
    const fleet = await scene.replicate()
    await using second = await starting
    await second.waitForCommits(second.committed() + 50)
    await second.stop()
    await scene.until(() => scene.told('w.db').includes('uploaded'))
    await expectAllInReplica(fleet, second.committed())
  })
})

/** As if the file system had lost the times of all writes, or knew none that fine. */
async function loseTimes(): Promise<void> {
  // A scan does not trust times that are younger than a tick.
  const { mtimeMs } = statSync(`${scene.path('a.db')}-wal`)
  while (Date.now() - mtimeMs < 30) await sleep(5)
  const [signature, wal] = ['', '-wal'].map((suffix) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(`${scene.path('a.db')}${suffix}`, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].map(String)
  })
  scene.rewriteRecord('a.db', (record) => ({ ...record, signature, wal, at: Date.now() + 60_000 }))
}

describe('a record that says that nothing was written', () => {
  it('is believed as long as that is true', async () => {
    await scene.restOnce(['a.db'])
    await loseTimes()
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toEqual(['resting'])
  })

  it('is refuted by a WAL that was begun anew, whatever the times are (Q4)', async () => {
    await scene.restOnce(['a.db'])
    const { size } = statSync(`${scene.path('a.db')}-wal`)
    scene.add('a.db')
    // It was written from its start again, so its size is no sign.
    expect(statSync(`${scene.path('a.db')}-wal`).size).toBe(size)
    await loseTimes()
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 1)
    expect(scene.states('a.db')).toContain('open')
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('is refuted by a WAL that grew, whatever the times are (Q4)', async () => {
    await scene.restOnce(['a.db'])
    // Reads from the WAL, so that it goes on where it was.
    await using reader = await Application.start()
    scene.add('a.db')
    await scene.restOnce(['a.db'], {}, () => {
      reader.open(scene.path('a.db')).run('BEGIN; SELECT * FROM t')
    })
    scene.add('a.db')
    await loseTimes()
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toContain('open')
    await fleet.durable()
    expect(await scene.ask('a.db/')).toBe(3)
  })

  it('is refuted where times are whole seconds and the last write was in the same one (Q4)', async () => {
    const now = 1_700_000_000_000
    const at = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n
    const signature = (mtimeNs: bigint, ctimeNs = mtimeNs) =>
      signatureOf({ dev: 1n, ino: 1n, size: 1n, mtimeNs, ctimeNs })
    expect(isSettled(signature(at(now)), now + 999)).toBe(false)
    expect(isSettled(signature(at(now - 50), at(now)), now + 1999)).toBe(false)
    expect(isSettled(signature(at(now)), now + 2500)).toBe(true)
    expect(isSettled(signature(at(now) + 5n), now + 19)).toBe(false)
    expect(isSettled(signature(at(now) + 5n), now + 21)).toBe(true)
    // The clock was set back.
    expect(isSettled(signature(at(now) + 5n), now - 86_400_000)).toBe(false)
    expect(tickOf(at(now))).toBeGreaterThan(2000)
  })

  it('is not believed where its signatures were taken too soon after a write (Q4)', async () => {
    await scene.restOnce(['a.db'])
    const { mtimeMs } = statSync(scene.path('a.db'))
    scene.rewriteRecord('a.db', (record) => ({ ...record, at: Math.floor(mtimeMs) + 5 }))
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toContain('open')
  })
})

describe('a transaction of a writer that died before anyone could see it', () => {
  it('is either in the replica or never seen, when the database rests and is recovered then (Q1)', async () => {
    scene.create('a.db')
    const index = scene.folder.join('index')
    await using dying = await Application.start()
    dying.open(scene.path('a.db'))
    const seen = readFileSync(`${scene.path('a.db')}-shm`).subarray(0, 96)
    writeFileSync(index, seen)
    dying.run('INSERT INTO t(v) VALUES(2)')
    await dying.kill()
    // It had written its frames, and not yet told in the index.
    await using shm = await open(`${scene.path('a.db')}-shm`, 'r+')
    await shm.write(readFileSync(index), 0, 96, 0)
    expect(scene.app.value('SELECT count(*) FROM t', 'a.db')).toBe(1)
    await scene.restOnce(['a.db'])
    await scene.app.kill()
    // The first one who comes recovers the WAL, and writes neither file for that.
    await using next = await Application.start()
    const visible = next.open(scene.path('a.db')).value('SELECT count(*) FROM t')
    // Only where root opened it has the WAL another time of change now.
    await loseTimes()
    const fleet = await scene.replicate()
    await fleet.settled()
    await scene.until(() => fleet.counts.resting === 1)
    expect(await scene.ask('a.db/')).toBe(visible)
  })

  it('is not waited for when it was rolled back: the WAL is cut, and the database rests (Q1)', async () => {
    scene.create('a.db')
    scene.app.run(
      `PRAGMA cache_size=8; PRAGMA cache_spill=4; BEGIN;
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 400)
       INSERT INTO t(v) SELECT randomblob(1000) FROM n;
       ROLLBACK`,
      'a.db',
    )
    expect(statSync(`${scene.path('a.db')}-wal`).size).toBeGreaterThan(100_000)
    await scene.restOnce(['a.db'])
    expect(statSync(`${scene.path('a.db')}-wal`).size).toBe(0)
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toEqual(['resting'])
    expect(scene.requests).toEqual([])
  })
})

describe('a file that is not the one that rested', () => {
  it.each<[string, () => void | Promise<void>, number]>([
    [
      'its own content was written over it, with its old times',
      () => {
        const path = scene.path('a.db')
        const { atime, mtime } = statSync(path)
        copyFileSync(path, scene.folder.join('copy'))
        copyFileSync(scene.folder.join('copy'), path)
        utimesSync(path, atime, mtime)
      },
      1,
    ],
    [
      'another content was written over it, with its old times',
      () => {
        const path = scene.path('a.db')
        scene.create('b.db')
        scene.add('b.db')
        for (const name of ['a.db', 'b.db']) scene.app.close(name)
        const { atime, mtime } = statSync(path)
        copyFileSync(scene.path('b.db'), path)
        rmSync(scene.path('b.db'))
        utimesSync(path, atime, mtime)
      },
      2,
    ],
    ['it was touched', () => utimesSync(scene.path('a.db'), new Date(), new Date()), 1],
    ['its WAL was touched', () => utimesSync(`${scene.path('a.db')}-wal`, new Date(), new Date()), 1],
    [
      'its WAL is gone',
      () => {
        scene.app.close('a.db')
        rmSync(`${scene.path('a.db')}-wal`, { force: true })
        rmSync(`${scene.path('a.db')}-shm`, { force: true })
      },
      1,
    ],
    [
      'it was restored over by sqlstream',
      async () => {
        scene.app.close('a.db')
        for (const suffix of ['', '-wal', '-shm']) rmSync(`${scene.path('a.db')}${suffix}`, { force: true })
        const replica = scene.replicaAt('a.db/')
        const plan = planRestore(await replica.catalog(), { kind: 'latest' })
        const result = await restore(replica, plan, fileSink(scene.path('a.db'), { overwrite: true }))
        await adoptRestored(scene.path('a.db'), result, { head: plan.txid })
      },
      1,
    ],
  ])('is opened: %s (Q4)', async (_what, act, rows) => {
    await scene.expectOpenedAfter(act, rows)
  })

  it('goes up as a whole where its replica was emptied by hand, as soon as somebody asks (Q5, S1)', async () => {
    await scene.restOnce(['a.db'])
    const keys: string[] = []
    for await (const { key } of scene.store.list()) keys.push(key)
    await scene.store.delete(keys)
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toEqual(['resting'])
    expect(await fleet.durable()).toEqual([])
    expect(await scene.ask('a.db/')).toBe(1)
  })

  it('of an old image of the whole volume is told of as soon as it is written (Q5)', async () => {
    await scene.restOnce(['a.db'])
    const kept = scene.folder.join('kept')
    cpSync(scene.root, kept, { recursive: true, preserveTimestamps: true })
    const fleet = await scene.replicate()
    scene.add('a.db')
    await scene.until(() => scene.told('a.db').includes('uploaded'))
    await scene.until(() => fleet.counts.resting === 1)
    await fleet.close()
    scene.app.close('a.db')
    rmSync(scene.root, { recursive: true })
    cpSync(kept, scene.root, { recursive: true, preserveTimestamps: true })
    await loseTimes()
    scene.events.length = 0
    const again = await scene.replicate()
    await again.settled()
    // True: what is in it is in the replica, under its TXID.
    expect(scene.states('a.db')).toEqual(['resting'])
    scene.app.open(scene.path('a.db'), 'a.db')
    scene.add('a.db')
    await scene.until(() => scene.events.some(({ type }) => type === 'open-failed'))
    expect([...again.members][0]?.lastError).toMatchObject({ code: 'behind' })
    expect(await scene.ask('a.db/')).toBe(2)
  })
})
