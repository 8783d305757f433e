import { existsSync, renameSync, rmSync } from 'node:fs'
import { isReplicaError, restorableTXIDs } from '@sqlstream/replica'
import { describe, expect, it } from 'vitest'
import { Application } from './support/application.ts'
import { Replicator } from './support/replicator.ts'
import { addRows, query, Scene } from './support/scene.ts'

/** Every restore point of the replica must be sound. */
async function expectSoundPoints(scene: Scene): Promise<void> {
  for (const txid of restorableTXIDs(await scene.replica.catalog())) {
    const { path } = await scene.restore('point.db', { kind: 'txid', txid })
    expect(query(path, 'PRAGMA integrity_check')).toBe('ok')
  }
}

/** Six commits of one frame each, the last of which is the same page image every time. */
function sixCommits(scene: Scene, round: number): void {
  for (let i = 0; i < 5; i++) scene.app.run(`UPDATE t SET v = 'round ${round}, ${i}' WHERE id = ${i + 1}`)
  scene.app.run("UPDATE t SET v = 'the same'")
}

describe('while the replicator is down', () => {
  it.each(['FULL', 'RESTART', 'TRUNCATE', 'auto'])(
    'T10: %s checkpoints and new generations of the WAL are found out',
    async (mode) => {
      await using scene = await Scene.begin()
      scene.app.run(addRows(6, 8))
      scene.app.run('CREATE TABLE u(round)')
      scene.app.query('PRAGMA wal_checkpoint(RESTART)')
      const { database } = scene
      await using replicator = await Replicator.start({ database, replica: scene.folder.join('replica') })
      sixCommits(scene, 0)
      await replicator.ask('durable')
      await replicator.kill()
      await scene.app.kill()
      scene.keep('base')
      for (const generations of [1, 2, 5]) {
        scene.putBack('base')
        scene.app = (await Application.start()).open(scene.database)
        scene.app.run(`PRAGMA wal_autocheckpoint=${mode === 'auto' ? 6 : 0}`)
        for (let round = 1; round <= generations; round++) {
          scene.app.run(`INSERT INTO u VALUES(${round})`)
          if (mode !== 'auto') expect(scene.app.query(`PRAGMA wal_checkpoint(${mode})`)[0]?.[0]).toBe(0)
          sixCommits(scene, round)
        }
        const primary = await scene.replicate()
        await primary.durable()
        expect(await scene.ask('SELECT max(round) FROM u')).toBe(generations)
        await expectSoundPoints(scene)
        scene.app.run("INSERT INTO t(v) VALUES('after')")
        await scene.expectSamePages()
        await scene.app.kill()
      }
    },
  )

  it.each([
    'frames:before-read',
    'frames:after-read',
    'encode:after',
    'journal:after-append',
    'holder:between',
  ] as const)(
    'S2, T10: a commit that restarts the WAL in the midst of the start, at %s, is found',
    async (moment) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate()
      scene.app.run(addRows(5))
      await primary.durable()
      await primary.close()
      // Everything is copied: nothing but our lock in slot 0 is left to hold, and that lets the next commit restart the WAL.
      scene.app.run(addRows(5))
      expect(scene.app.query('PRAGMA wal_checkpoint(FULL)')[0]?.[0]).toBe(0)
      let committed = 0
      const again = await scene.replicate({
        failpoint: (name) => {
          if (name === moment && committed++ === 0) scene.app.run("INSERT INTO t(v) VALUES('in the midst')")
        },
      })
      expect(committed).toBeGreaterThan(0)
      await again.durable()
      expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'in the midst'")).toBe(1)
      expect(scene.seen('snapshotted')).toHaveLength(1)
      await scene.expectSamePages()
    },
  )

  it('S3, T11: the last close deletes the WAL, the application comes back, writes, and goes again', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    scene.app.run(addRows(10))
    await primary.durable()
    await primary.close()
    scene.app.close()
    expect(existsSync(`${scene.database}-wal`)).toBe(false)
    scene.app.open(scene.database).run("INSERT INTO t(v) VALUES('between')")
    scene.app.close()
    expect(existsSync(`${scene.database}-wal`)).toBe(false)
    const again = await scene.replicate()
    await again.durable()
    expect(await scene.ask("SELECT count(*) FROM t WHERE v = 'between'")).toBe(1)
    // One file with what differs, no second image.
    expect(scene.seen('snapshotted')).toHaveLength(1)
    scene.app.open(scene.database).run("INSERT INTO t(v) VALUES('later')")
    await scene.expectSamePages()
  })

  it.each(['-wal', '-shm'])('T11: somebody deletes the %s of a dead application', async (suffix) => {
    await using scene = await Scene.begin()
    scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')
    const primary = await scene.replicate()
    scene.app.run(addRows(10))
    await primary.durable()
    await primary.close()
    await scene.app.kill()
    rmSync(scene.database + suffix)
    scene.app = (await Application.start()).open(scene.database)
    const again = await scene.replicate()
    await again.durable()
    await scene.expectSameRows()
    scene.app.run('CREATE TABLE later(v)')
    await scene.expectSamePages()
  })

  it('T12: killed in the middle of the first snapshot, a large database has no backup yet and then a whole one', async () => {
    await using scene = await Scene.begin()
    scene.app.run(addRows(5000, 4000))
    scene.app.query('PRAGMA wal_checkpoint(PASSIVE)')
    scene.app.run(addRows(500, 4000))
    const options = { database: scene.database, replica: scene.folder.join('replica') }
    await using doomed = new Replicator({ ...options, failpoint: 'snapshot:middle' })
    void doomed.ask('open').catch(() => undefined)
    scene.app.run(addRows(10))
    expect(await doomed.died()).toBe('SIGKILL')
    const failure = await scene.restore().catch((error: unknown) => error)
    expect(isReplicaError(failure, 'no-snapshot')).toBe(true)
    scene.app.run(addRows(10))
    const primary = await scene.replicate()
    await primary.durable()
    await scene.expectSameRows()
    await scene.expectSamePages()
  })
})

describe('while the replicator runs', () => {
  it.each(['-wal', '-shm'])(
    'T11: somebody deletes the %s: nothing is lost, and the application needs a restart',
    async (suffix) => {
      await using scene = await Scene.begin()
      const primary = await scene.replicate()
      await primary.durable()
      scene.app.run(addRows(10))
      await primary.checkpoint()
      await primary.durable()
      rmSync(scene.database + suffix)
      for (let i = 0; i < 5; i++) {
        scene.app.run("INSERT INTO t(v) VALUES('beside')")
        await expect(primary.durable()).rejects.toMatchObject({ code: 'database-replaced' })
      }
      expect(primary.status.state).toBe('failed')
      expect(scene.seen('warning')).toHaveLength(1)
      // What ends such a state. The last close saves what was committed, unless we were in the way.
      scene.app.close()
      scene.app.open(scene.database).run("INSERT INTO t(v) VALUES('after')")
      await primary.durable()
      expect(await scene.ask("SELECT count(*) FROM t WHERE v IN ('beside', 'after')")).toBe(6)
      expect(scene.seen('snapshotted')).toHaveLength(1)
      await scene.expectSamePages()
    },
  )

  it.each(['-wal', '-shm'])('T11: somebody moves the %s away and back between two looks', async (suffix) => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    scene.app.run(addRows(10))
    await primary.durable()
    renameSync(scene.database + suffix, scene.folder.join('aside'))
    renameSync(scene.folder.join('aside'), scene.database + suffix)
    scene.app.run("INSERT INTO t(v) VALUES('beside')")
    await primary.durable()
    await scene.expectSameRows()
    await scene.expectSamePages()
  })
})
