import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { restorableTXIDs } from '@sqlstream/replica'
import { type StorageOperation, withFaults, withObserver } from '@sqlstream/storage'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { addRows, query, Scene } from './support/scene.ts'

const COUNT = 'SELECT count(*) FROM t'

/** Names and sizes of everything below a folder. */
function filesBelow(folder: string): Record<string, number> {
  return Object.fromEntries(
    (readdirSync(folder, { recursive: true }) as string[]).map((name) => [
      name,
      statSync(`${folder}/${name}`).size,
    ]),
  )
}

describe('an idle database', () => {
  it.each([
    [0, 'no reader'],
    [1000, 'no reader'],
    [0, 'an open reader'],
    [1000, 'an open reader'],
  ])(
    'T36: with autocheckpoint %i and %s: no request, no file, no transaction',
    async (autocheckpoint, reader) => {
      const operations: StorageOperation[] = []
      await using scene = await Scene.begin({
        wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
      })
      scene.app.run(`PRAGMA wal_autocheckpoint=${autocheckpoint}`)
      const primary = await scene.replicate()
      await primary.durable()
      scene.events.length = 0
      scene.app.run(addRows(100, 1000))
      await primary.durable()
      if (reader === 'an open reader') {
        scene.app.open(scene.database, 'reader')
        scene.app.run('BEGIN; SELECT count(*) FROM t', 'reader')
      }
      // Past the checkpoint after which it is parked, and what follows it.
      await scene.event((event) => event.type === 'checkpointed' && event.complete)
      const { txid } = await primary.durable()
      let before: unknown
      do {
        before = filesBelow(scene.folder.join('db'))
        await sleep(500)
      } while (!isDeepStrictEqual(filesBelow(scene.folder.join('db')), before))
      const replica = filesBelow(scene.folder.join('replica'))
      operations.length = 0
      await sleep(2500)
      await primary.sync()
      expect((await primary.durable()).txid).toBe(txid)
      expect(operations).toEqual([])
      expect(filesBelow(scene.folder.join('db'))).toEqual(before)
      expect(filesBelow(scene.folder.join('replica'))).toEqual(replica)
      if (reader === 'an open reader') scene.app.run('COMMIT', 'reader')
      await scene.expectSamePages(reader === 'an open reader' ? ['reader', 'main'] : ['main'])
    },
  )
})

it('T37: a hundred calls at once, of every kind and with a close among them, are served in turn or told that it is closed', async () => {
  await using scene = await Scene.begin()
  const primary = await scene.replicate()
  // While the first image is read, a checkpoint is refused (K2).
  await primary.durable()
  const calls = Array.from({ length: 100 }, (_, n) => {
    if (n % 10 === 0) scene.app.run(addRows(3))
    if (n % 25 === 24) return primary.checkpoint()
    return n % 2 === 0 ? primary.sync() : primary.durable()
  })
  const first = await Promise.allSettled(calls)
  expect(first.filter(({ status }) => status === 'rejected')).toEqual([])
  scene.app.run(addRows(3))
  const mixed = [primary.sync(), primary.close(), primary.durable(), primary.close(), primary.sync()]
  const [sync, close, durable, again, late] = await Promise.allSettled(mixed)
  expect([close, again].map((each) => each?.status)).toEqual(['fulfilled', 'fulfilled'])
  for (const each of [sync, durable, late])
    if (each?.status === 'rejected') expect(each.reason).toMatchObject({ code: 'closed' })
  await scene.expectSameRows()
  await scene.expectSamePages()
})

describe('an end', () => {
  it('T38: right after the start is complete, and so is the second', async () => {
    await using scene = await Scene.begin()
    scene.app.run(addRows(200, 1000))
    const primary = await scene.replicate()
    const reports = await Promise.all([primary.close(), primary.close()])
    expect(reports[1]).toEqual(reports[0])
    expect(reports[0]).toMatchObject({ pendingFiles: 0 })
    await scene.expectSameRows()
    await scene.expectSamePages()
  })

  it('T38: with a backlog and a store that refuses, it ends when it is told to, says what is missing, and the next start brings it', async () => {
    const store = { faulty: undefined as ReturnType<typeof withFaults> | undefined }
    await using scene = await Scene.begin({
      wrap: (inner) => {
        store.faulty = withFaults(inner, [])
        return store.faulty
      },
    })
    const primary = await scene.replicate()
    await primary.durable()
    store.faulty?.setPlan([{ operation: 'put', fault: 'fail', error: 'unavailable' }])
    for (let i = 0; i < 20; i++) {
      scene.app.run(addRows(5, 1000))
      await primary.sync()
    }
    const report = await primary.close({ signal: AbortSignal.abort() })
    expect(report.pendingFiles).toBeGreaterThan(0)
    store.faulty?.setPlan([])
    scene.events.length = 0
    const next = await scene.replicate()
    await next.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    await scene.expectSameRows()
    await scene.expectSamePages()
  })
})

describe('another file under the name', () => {
  /** A database with its own history, of rows that the first never had. */
  function other(path: string, rows: number): void {
    const db = new Database(path)
    db.pragma('journal_mode=WAL')
    db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
    db.exec(addRows(rows, 300))
    db.close()
  }

  it.each(['moved over it', 'copied into it', 'deleted and created again', 'beside the WAL of the old one'])(
    'T43, T44: %s while nobody watched: it is compared, old restore points stay',
    async (how) => {
      await using scene = await Scene.begin()
      scene.app.run(addRows(40, 300))
      await (await scene.replicate()).close()
      const old = restorableTXIDs(await scene.replica.catalog()).at(-1)!
      const wal = `${scene.database}-wal`
      const stale = readFileSync(wal)
      scene.app.close()
      const next = scene.folder.join('next.db')
      other(next, 7)
      if (how === 'copied into it') writeFileSync(scene.database, readFileSync(next))
      else if (how === 'moved over it') renameSync(next, scene.database)
      else {
        rmSync(scene.database)
        copyFileSync(next, scene.database)
      }
      if (how === 'beside the WAL of the old one') {
        // SQLite reads such a WAL as the new database's. What comes of that is not ours to judge; it must be what is backed up.
        writeFileSync(wal, stale.subarray(0, 0))
      }
      scene.app.open(scene.database)
      expect(scene.app.value(COUNT)).toBe(7)
      const primary = await scene.replicate()
      await primary.durable()
      expect(scene.seen('resynced').length + scene.seen('snapshot-started').length).toBeGreaterThan(0)
      expect(await scene.ask(COUNT)).toBe(7)
      expect(await scene.ask(COUNT, { kind: 'txid', txid: old })).toBe(40)
      await scene.expectSamePages()
    },
  )
})

describe('the journal mode', () => {
  it('T45: changed and changed back while nobody watched: what was written meanwhile is found by comparing', async () => {
    await using scene = await Scene.begin()
    scene.app.run(addRows(20, 300))
    await (await scene.replicate()).close()
    scene.app.run('PRAGMA journal_mode=DELETE')
    scene.app.run(addRows(20, 300))
    scene.app.run('PRAGMA journal_mode=WAL')
    const primary = await scene.replicate()
    await primary.durable()
    expect(await scene.ask(COUNT)).toBe(40)
    await scene.expectSameRows()
    await scene.expectSamePages()
  })

  it('T45: cannot be changed while it is replicated: the application is told', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    expect(() => scene.app.run('PRAGMA journal_mode=DELETE')).toThrow(
      expect.objectContaining({ code: 'SQLITE_BUSY' }),
    )
    scene.app.run(addRows(3))
    await primary.durable()
    await scene.expectSamePages()
  })

  it.each(['DELETE', 'TRUNCATE', 'PERSIST', 'MEMORY'])(
    'T45, T75: a database in mode %s is refused with what to do, and nothing is written',
    async (mode) => {
      await using scene = await Scene.begin()
      scene.app.run(addRows(3))
      scene.app.run(`PRAGMA journal_mode=${mode}`)
      scene.app.run(addRows(3))
      await expect(scene.replicate()).rejects.toMatchObject({
        code: 'not-wal-mode',
        hint: expect.stringContaining('WAL'),
      })
      expect(readdirSync(scene.folder.join('db'))).not.toContain('app.db-wal')
      expect(query(scene.database, COUNT)).toBe(6)
    },
  )
})

it('T70: many rows dropped, then VACUUM, with a WAL that nobody has checkpointed', async () => {
  await using scene = await Scene.begin({ pragmas: 'PRAGMA page_size=1024' })
  scene.app.run('CREATE TABLE big(id INTEGER PRIMARY KEY, v)')
  const primary = await scene.replicate({ checkpointFrames: 1_000_000 })
  scene.app.run(addRows(200_000, 60).replace('INTO t', 'INTO big'))
  await primary.durable()
  const pages = Number(scene.app.value('PRAGMA page_count'))
  expect(pages).toBeGreaterThan(10_000)
  await scene.app.runWhenFree('DROP TABLE big')
  await scene.app.runWhenFree('VACUUM')
  expect(scene.app.value('PRAGMA page_count')).toBeLessThan(20)
  await scene.app.runWhenFree(addRows(100, 100))
  await primary.durable()
  await scene.expectSameRows()
  await scene.expectSamePages()
}, 120_000)
