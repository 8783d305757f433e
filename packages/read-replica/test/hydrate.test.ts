import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { toTXID } from '@sqlstream/ltx'
import { filesOf } from '@sqlstream/replica'
import { getBytes, StorageError, withFaults } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReadReplica } from '../src/index.ts'
import { openReplica } from '../src/node/index.ts'
import { Counted } from './support/counting-store.ts'
import { dumpBy } from './support/dump.ts'
import { History } from './support/history.ts'
import { hydrated, nextError } from './support/hydrated.ts'
import { withoutRoom } from './support/without-room.ts'

const SETUP = `CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1)`

let folder: TempFolder
let history: History
let path: string
beforeEach(async () => {
  folder = new TempFolder('hydrate')
  path = folder.join('copy.db')
  history = new History()
  await history.commit(SETUP)
})
afterEach(() => {
  history[Symbol.dispose]()
  folder[Symbol.dispose]()
})

async function advance(): Promise<void> {
  await history.commit(`UPDATE t SET a = ${history.txid + 1n}; INSERT INTO t (a) VALUES (randomblob(100))`)
}

async function newestValue(replica: ReadReplica): Promise<unknown> {
  return (await replica.get('SELECT a FROM t WHERE id = 1'))?.['a']
}

describe('H1: a copy takes over', () => {
  test('H1: queries are answered at once, then by the copy, and follow the backup', async () => {
    await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
    expect(replica.source).toBe('remote')
    expect(await newestValue(replica)).toBe(1)
    await hydrated(replica)
    expect(await newestValue(replica)).toBe(1)
    expect(await dumpBy(replica)).toBe(history.dump)
    await advance()
    await advance()
    expect(await replica.refresh()).toBe(true)
    expect(replica.position.txid).toBe(3n)
    expect(await dumpBy(replica)).toBe(history.dump)
    await advance()
    await replica.waitFor(toTXID(4))
    expect(await newestValue(replica)).toBe(4)
    expect(await replica.get('SELECT sqlstream_txid() AS txid, sqlstream_time() AS time')).toEqual({
      txid: '0000000000000004',
      time: '2026-01-01T00:00:04.000Z',
    })
    const lag = (await replica.get<{ lag: number }>('SELECT sqlstream_lag() AS lag'))?.lag
    expect(lag).toBeGreaterThanOrEqual(0)
    expect(replica.source).toBe('hydrated')
  })

  test('H1: no query of the copy asks the backup, and a look is one request', async () => {
    const counted = new Counted(history.store)
    await using replica = await openReplica({ store: counted.store, poll: false, hydrate: { path } })
    await hydrated(replica)
    counted.take()
    expect(await dumpBy(replica)).toBe(history.dump)
    expect(counted.take()).toEqual([])
    await advance()
    await replica.waitFor(toTXID(2))
    expect(await newestValue(replica)).toBe(2)
    expect(counted.take().map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      'get ltx/0/0000000000000002-0000000000000002.ltx',
      'get ltx/0/0000000000000003-0000000000000003.ltx',
    ])
  })

  test('H1: a copy that was there is gone on with', async () => {
    {
      await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
      await hydrated(replica)
    }
    await advance()
    await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
    await hydrated(replica)
    expect(replica.position.txid).toBe(2n)
    expect(await newestValue(replica)).toBe(2)
  })

  test('H1: a state of the past comes from the backup', async () => {
    await advance()
    await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
    await hydrated(replica)
    await using past = await replica.asOf({ txid: toTXID(1) })
    expect(past.source).toBe('remote')
    expect(await newestValue(past)).toBe(1)
    expect(await newestValue(replica)).toBe(2)
    const fixed = { store: history.store, at: { txid: toTXID(1) }, hydrate: { path } }
    await expect(openReplica(fixed)).rejects.toThrow(TypeError)
  })
})

describe('H2: what is held', () => {
  test('H2: a snapshot of the copy keeps its state, new queries go to the backup meanwhile, and come back', async () => {
    await using replica = await openReplica({
      store: history.store,
      poll: false,
      hydrate: { path, holdMs: 1 },
    })
    await hydrated(replica)
    await replica.snapshot(async (tx) => {
      expect(tx.position.txid).toBe(1n)
      await advance()
      await replica.waitFor(toTXID(2))
      expect(replica.source).toBe('remote')
      expect(await newestValue(replica)).toBe(2)
      expect(await tx.get('SELECT a, sqlstream_txid() AS txid FROM t')).toEqual({
        a: 1,
        txid: '0000000000000001',
      })
    })
    await hydrated(replica)
    expect(await newestValue(replica)).toBe(2)
    expect(replica.position.txid).toBe(2n)
  })

  test('H2: so do rows that come one by one', async () => {
    await history.commit(
      `INSERT INTO t (a) SELECT randomblob(1000) FROM t, (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9))`,
    )
    for (let i = 0; i < 4; i++) await history.commit('INSERT INTO t (a) SELECT randomblob(1000) FROM t')
    const rows = history.db.prepare('SELECT count(*) FROM t').pluck().get() as number
    await using replica = await openReplica({
      store: history.store,
      poll: false,
      hydrate: { path, holdMs: 1 },
    })
    await hydrated(replica)
    let seen = 0
    for await (const _ of replica.iterate('SELECT * FROM t ORDER BY id')) {
      seen++
      if (seen !== 1) continue
      const txid = await history.commit('DELETE FROM t WHERE id > 1')
      await replica.waitFor(txid)
      expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 1 })
    }
    expect(seen).toBe(rows)
    await hydrated(replica)
    expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 1 })
  })
})

describe('H3: a copy that fails', () => {
  test('H3: one that is gone sends queries back to the backup, with an error, and nothing goes back in time', async () => {
    await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
    await hydrated(replica)
    await advance()
    await replica.refresh()
    rmSync(path)
    await advance()
    const failed = nextError(replica)
    await replica.waitFor(toTXID(3))
    expect(await failed).toMatchObject({ name: 'FollowerError', code: 'local-changed' })
    expect(replica.source).toBe('remote')
    expect(await newestValue(replica)).toBe(3)
    expect(await dumpBy(replica)).toBe(history.dump)
  })
})

test('H3: one that cannot be kept for want of room goes on later, from where it was', async () => {
  await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
  await hydrated(replica)
  await advance()
  const failed = nextError(replica)
  await withoutRoom(async () => {
    await replica.waitFor(toTXID(2))
    expect(await failed).toMatchObject({ code: 'ENOSPC' })
    expect(replica.source).toBe('remote')
    expect(await newestValue(replica)).toBe(2)
  })
  await advance()
  await new Promise((resolve) => replica.on('hydrated', resolve))
  expect(replica.position.txid).toBe(3n)
  expect(await dumpBy(replica)).toBe(history.dump)
})

test('H3: what was written at the path by others is left alone', async () => {
  writeFileSync(path, 'mine')
  await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
  expect(await nextError(replica)).toMatchObject({ name: 'FollowerError', code: 'target-exists' })
  expect(await newestValue(replica)).toBe(1)
  expect(readFileSync(path, 'utf8')).toBe('mine')
})

test('H3: a backup that goes on from an earlier state is an error, and never read as what was shown', async () => {
  await advance()
  await advance()
  await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
  await hydrated(replica)
  await advance()
  await replica.refresh()
  expect(await newestValue(replica)).toBe(4)
  // Somebody has restored TXID 1 and writes there.
  using other = new History()
  await other.commit(SETUP)
  for (let i = 0; i < 5; i++) await other.commit(`UPDATE t SET a = 'other ${i}'`)
  const captures = filesOf(await other.replica.catalog()).filter(({ level }) => level === 0)
  for (const { key } of captures) await history.store.put(key, await getBytes(other.store, key))
  const failed = nextError(replica)
  await expect(replica.refresh()).rejects.toMatchObject({ code: 'went-back' })
  expect(await failed).toMatchObject({ name: 'FollowerError', code: 'diverged' })
  await expect(newestValue(replica)).rejects.toMatchObject({ code: 'went-back' })
})

test('H5: while only the backup fails, the copy goes on to answer', async () => {
  const store = withFaults(history.store, [])
  await using replica = await openReplica({ store, poll: false, hydrate: { path } })
  await hydrated(replica)
  const error = new StorageError('no network', { code: 'unavailable', driver: 'test', operation: 'get' })
  store.setPlan([
    { operation: 'get', fault: 'fail', error },
    { operation: 'list', fault: 'fail', error },
  ])
  await expect(replica.refresh()).rejects.toBe(error)
  expect(await newestValue(replica)).toBe(1)
  expect(replica.source).toBe('hydrated')
  store.setPlan([])
  await advance()
  await replica.refresh()
  expect(await newestValue(replica)).toBe(2)
})

test('H6: a statement reaches no other file, and keeps the copy from nothing', async () => {
  await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path } })
  await hydrated(replica)
  const out = folder.join('out.db')
  for (const sql of [`VACUUM INTO '${out}'`, `/* */ attach '${path}' AS x`]) {
    await expect(replica.all(sql)).rejects.toMatchObject({ code: 'sql' })
  }
  expect(existsSync(out)).toBe(false)
  for (const sql of [
    'PRAGMA locking_mode = EXCLUSIVE',
    'PRAGMA mmap_size = 10000000',
    'PRAGMA journal_mode = WAL',
  ]) {
    await replica.all(sql).catch(() => undefined)
    await replica.batch([[sql], ['SELECT * FROM t']]).catch(() => undefined)
    await advance()
    await replica.refresh()
    expect(await newestValue(replica)).toBe(Number(history.txid))
  }
  expect(replica.source).toBe('hydrated')
  expect(await replica.get('PRAGMA locking_mode')).toEqual({ locking_mode: 'normal' })
})

test('H2: what was aborted runs on, and the backup answers meanwhile', async () => {
  const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000000) SELECT count(*) FROM n`
  await using replica = await openReplica({ store: history.store, poll: false, hydrate: { path, holdMs: 1 } })
  await hydrated(replica)
  const controller = new AbortController()
  const running = replica.all(endless, [], { signal: controller.signal })
  controller.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  await advance()
  await replica.waitFor(toTXID(2))
  expect(await newestValue(replica)).toBe(2)
})

test('H1: after close everything rejects with "closed", what is under way too', async () => {
  const replica = await openReplica({ store: history.store, hydrate: { path } })
  await hydrated(replica)
  const started = Promise.withResolvers<void>()
  const running = replica.snapshot(async (tx) => {
    await tx.get('SELECT 1')
    started.resolve()
    await replica.close()
    return await tx.get('SELECT 1')
  })
  await started.promise
  await expect(running).rejects.toMatchObject({ code: 'closed' })
  await expect(replica.all('SELECT 1')).rejects.toMatchObject({ code: 'closed' })
  // One that never got to its copy leaves nothing running.
  const early = await openReplica({ store: history.store, hydrate: { path } })
  await early.close()
})
