import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { findGaps, restorableTXIDs } from '@sqlstream/replica'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import type { Failpoint } from '../../src/index.ts'
import { Replicator } from './support/replicator.ts'
import { addRows, query, Scene } from './support/scene.ts'

/** A replicator process dies at a failpoint, in the middle of a capture that had a snapshot before it. */
async function dieAt(scene: Scene, failpoint: Failpoint): Promise<void> {
  const options = { database: scene.database, replica: scene.folder.join('replica') }
  await using first = await Replicator.start(options)
  await first.ask('durable')
  await first.ask('close')
  await first.kill()
  scene.app.run(addRows(20, 3000))
  await using doomed = new Replicator({ ...options, failpoint })
  void doomed.ask('open').catch(() => undefined)
  expect(await doomed.died()).toBe('SIGKILL')
}

/** What is captured but not uploaded. */
function spooled(scene: Scene): string[] {
  const folder = scene.folder.join('db', '.app.db-sqlstream', 'spool')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ltx'))
    .map((name) => `${folder}/${name}`)
}

describe('crashes', () => {
  it.each(['encode:before', 'spool:before-sync', 'spool:before-rename'] as const)(
    'T60: after a crash while a file was written (%s) nothing of it counts',
    async (failpoint) => {
      await using scene = await Scene.begin()
      await dieAt(scene, failpoint)
      expect(spooled(scene)).toEqual([])
      expect(await scene.files()).toEqual([])
      const primary = await scene.replicate()
      await primary.durable()
      expect(scene.seen('snapshot-started')).toEqual([])
      await scene.expectSamePages()
    },
  )

  it.each([
    ['half of it', (file: string) => truncateSync(file, 1000)],
    ['nothing of it', (file: string) => truncateSync(file, 0)],
    ['zeros for its end', (file: string) => zeroEnd(file)],
  ])(
    'S6, T60: of a spooled file the disk has kept %s: it is never uploaded, and a new base takes its place',
    async (_name, damage) => {
      await using scene = await Scene.begin()
      await dieAt(scene, 'put:before')
      const [file] = spooled(scene)
      damage(file!)
      const primary = await scene.replicate()
      await primary.durable()
      for (const txid of restorableTXIDs(await scene.replica.catalog())) {
        const { path } = await scene.restore('point.db', { kind: 'txid', txid })
        expect(query(path, 'PRAGMA integrity_check')).toBe('ok')
      }
      await scene.expectSameRows()
      await scene.expectSamePages()
    },
  )

  it('S6, T60: of several spooled files one in the middle is gone: no hole comes into the replica', async () => {
    let store: FaultyStore | undefined
    await using scene = await Scene.begin({
      wrap: (inner) => {
        store = withFaults(inner, [])
        return store
      },
    })
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    store?.setPlan([{ operation: 'put', fault: 'fail', error: 'unavailable' }])
    for (let i = 0; i < 3; i++) {
      scene.app.run(addRows(5))
      await primary.sync()
    }
    await primary.close({ signal: AbortSignal.abort() })
    expect(spooled(scene)).toHaveLength(3)
    rmSync(spooled(scene)[1]!)
    store?.setPlan([])
    const again = await scene.replicate()
    await again.durable()
    expect(findGaps(await scene.replica.catalog())).toEqual([])
    expect(scene.seen('snapshot-started').at(-1)?.reason).toBe('spool-does-not-connect')
    await scene.expectSamePages()
  })

  it.each([
    'spool:after-rename',
    'journal:before-append',
    'journal:torn-append',
    'journal:after-append',
  ] as const)(
    'T61: after a crash between the file and the position (%s) the transaction is there once',
    async (failpoint) => {
      await using scene = await Scene.begin()
      await dieAt(scene, failpoint)
      const primary = await scene.replicate()
      const { txid } = await primary.durable()
      expect(txid).toBe(2n)
      expect(await scene.files()).toHaveLength(1)
      expect(scene.seen('snapshot-started')).toEqual([])
      await scene.expectSamePages()
    },
  )

  it('T62: frames that others checkpointed before they were captured are found in the database after the crash', async () => {
    await using scene = await Scene.begin()
    await dieAt(scene, 'frames:before-read')
    expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]?.[0]).toBe(0)
    scene.app.run("INSERT INTO t(v) VALUES('in the new WAL')")
    const primary = await scene.replicate()
    await primary.durable()
    expect(scene.seen('resynced')).toHaveLength(1)
    expect(scene.seen('snapshot-started')).toEqual([])
    await scene.expectSameRows()
    await scene.expectSamePages()
  })
})

describe('what an application may do', () => {
  it('T65: a checkpoint of a part that shrank, then growth that nobody has checkpointed', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    scene.app.run(addRows(200, 3000))
    await primary.durable()
    scene.app.run('DELETE FROM t; VACUUM')
    await primary.sync()
    scene.app.open(scene.database, 'reader')
    scene.app.run('BEGIN; SELECT count(*) FROM t', 'reader')
    scene.app.query('SELECT count(*) FROM t', 'reader')
    scene.app.run(addRows(50, 3000))
    await primary.checkpoint()
    scene.app.run(addRows(200, 3000))
    await primary.durable()
    const { result } = await scene.restore()
    expect(result.commit).toBe(scene.app.value('PRAGMA page_count'))
    scene.app.run('COMMIT', 'reader')
    await scene.expectSamePages(['main', 'reader'])
  })

  it('T69: a transaction that fails after its frames have reached the WAL leaves no trace', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    scene.app.run(addRows(5))
    const { txid } = await primary.durable()
    const pages = scene.app.value('PRAGMA page_count') as number
    scene.app.run(`PRAGMA cache_size=5; PRAGMA max_page_count=${pages + 30}`)
    expect(() => scene.app.run(`BEGIN; ${addRows(100, 3500)}; COMMIT`)).toThrow(
      expect.objectContaining({ code: 'SQLITE_FULL' }),
    )
    expect((await primary.durable()).txid).toBe(txid)
    scene.app.run('ROLLBACK')
    scene.app.query('PRAGMA max_page_count=1000000')
    scene.app.run(addRows(3))
    expect((await primary.durable()).txid).toBe(txid + 1n)
    await scene.expectSamePages()
  })

  it('T72: an empty file that becomes a WAL database and gets its schema later', async () => {
    await using scene = await Scene.begin()
    const database = scene.folder.join('db', 'new.db')
    closeSync(openSync(database, 'w'))
    await expect(scene.replicate({ database })).rejects.toMatchObject({
      code: 'not-a-database',
      hint: expect.stringContaining('empty'),
    })
    scene.app.open(database, 'shell').run('PRAGMA journal_mode=WAL', 'shell')
    scene.app.close('shell')
    const primary = await scene.replicate({ database })
    await primary.durable()
    scene.app
      .open(database, 'tool')
      .run('CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES(1)', 'tool')
    await primary.durable()
    expect(await scene.ask('SELECT count(*) FROM t')).toBe(1)
    await primary.close()
  })

  it('T73: the WAL restarts again and again while nothing can be uploaded', async () => {
    let store: FaultyStore | undefined
    await using scene = await Scene.begin({
      wrap: (inner) => {
        store = withFaults(inner, [])
        return store
      },
    })
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    store?.setPlan([{ operation: 'put', fault: 'fail', error: 'unavailable' }])
    for (let i = 0; i < 6; i++) {
      scene.app.run(addRows(20, 3000))
      await primary.sync()
      await primary.checkpoint()
    }
    expect(primary.status.pendingFiles).toBeGreaterThanOrEqual(6)
    expect(await scene.files()).toEqual([])
    store?.setPlan([])
    await primary.durable()
    const files = await scene.files()
    expect(files.map((file) => file.minTXID)).toEqual(files.map((_, i) => BigInt(i + 2)))
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages()
  })
})

/** What a disk may make of a file that was not synced: the length is right, the end is not. */
function zeroEnd(file: string): void {
  const { size } = statSync(file)
  truncateSync(file, size - 500)
  truncateSync(file, size)
}
