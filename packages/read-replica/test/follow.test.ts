import { toTXID } from '@sqlstream/ltx'
import { createCatalog, filesOf, type LTXFile, planRestore } from '@sqlstream/replica'
import { type MemoryStore, withFaults } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import type { ReadReplica } from '../src/index.ts'
import { openReplica } from '../src/node/index.ts'
import { Counted } from './support/counting-store.ts'
import { dumpBy } from './support/dump.ts'
import { History } from './support/history.ts'
import { mergeNow, removeFiles, snapshotNow } from './support/maintain.ts'

const SETUP = `CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 0)`

/** A history with some captures: the value is the number of the transaction. */
async function historyOf(captures: number, keepsDumps = true): Promise<History> {
  const history = new History({ keepsDumps })
  await history.commit(SETUP)
  while (history.txid < captures) await advance(history)
  return history
}

async function advance(history: History): Promise<void> {
  await history.commit(`UPDATE t SET a = ${history.txid + 1n}; INSERT INTO t (a) VALUES (randomblob(100))`)
}

async function newestValue(replica: ReadReplica): Promise<unknown> {
  return (await replica.get('SELECT a FROM t WHERE id = 1'))?.['a']
}

async function capturesOf({ replica }: History, min: number, max: number): Promise<LTXFile[]> {
  const { levels } = await replica.catalog()
  return (levels.get(0) ?? []).filter(({ minTXID }) => minTXID >= min && minTXID <= max)
}

describe('F1: new states', () => {
  test('are found by their names, one request when there is none', async () => {
    using history = await historyOf(3)
    const { store, take } = counted(history)
    await using replica = await openReplica({ store, poll: { intervalMs: 3_600_000 } })
    take()
    await replica.waitFor(toTXID(3))
    expect(take()).toEqual([])
    await advance(history)
    await advance(history)
    await replica.waitFor(toTXID(5))
    expect(take().map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      'get ltx/0/0000000000000004-0000000000000004.ltx',
      'get ltx/0/0000000000000005-0000000000000005.ltx',
      'get ltx/0/0000000000000006-0000000000000006.ltx',
    ])
    expect(await newestValue(replica)).toBe(5)
    // What the capture has brought is not asked for again.
    expect(take()).toEqual([])
  })

  test('come by themselves, with an event, and prepared statements go on', async () => {
    using history = await historyOf(2)
    await using replica = await openReplica({ store: history.store, poll: { intervalMs: 1 } })
    expect(await newestValue(replica)).toBe(2)
    const advanced = new Promise((resolve) => replica.on('advance', resolve))
    await history.commit('ALTER TABLE t ADD COLUMN b; UPDATE t SET a = 3, b = 4')
    expect(await advanced).toMatchObject({ txid: 3n })
    expect(await replica.get('SELECT * FROM t WHERE id = 1')).toEqual({ id: 1, a: 3, b: 4 })
    await history.commit(
      'DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 4)',
    )
    await replica.waitFor(toTXID(4))
    expect(await replica.get('SELECT * FROM t WHERE id = 1')).toEqual({ id: 1, a: 4 })
  })

  test('are awaited, and not for ever', async () => {
    using history = await historyOf(2)
    await using replica = await openReplica({ store: history.store, poll: false })
    const waiting = replica.waitFor(toTXID(3))
    await advance(history)
    await waiting
    expect(await newestValue(replica)).toBe(3)
    await expect(replica.waitFor(toTXID(9), { timeoutMs: 5 })).rejects.toMatchObject({ code: 'timed-out' })
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(replica.waitFor(toTXID(9), { signal })).rejects.toThrow('enough')
    await using past = await replica.asOf({ txid: toTXID(2) })
    await expect(past.waitFor(toTXID(3))).rejects.toMatchObject({ code: 'timed-out' })
  })

  test.each(['probe', 'list'] as const)(
    'of several captures in one file are found by a listing (%s)',
    async (method) => {
      using history = await historyOf(2)
      await using replica = await openReplica({
        store: history.store,
        poll: { intervalMs: 3_600_000, method, listMs: 0 },
      })
      await advance(history)
      await advance(history)
      await mergeNow(history, 0, 3, 4)
      await removeFiles(
        history,
        await capturesOf(history, 3, 4).then((files) => files.filter((f) => f.minTXID === f.maxTXID)),
      )
      await replica.waitFor(toTXID(4))
      expect(await newestValue(replica)).toBe(4)
    },
  )
})

describe('W26: merges beside newer captures', () => {
  test('W26: an older merge that appears later replaces nothing', async () => {
    using history = await historyOf(4)
    await using replica = await openReplica({ store: history.store, poll: false })
    await advance(history)
    await replica.refresh()
    await mergeNow(history, 1, 2, 4)
    await replica.refresh()
    expect(await newestValue(replica)).toBe(5)
    expect(replica.position.txid).toBe(5n)
    await using again = await openReplica({ store: history.store, poll: false })
    expect(await newestValue(again)).toBe(5)
  })
})

describe('W27, T42: a merge that reaches over the state of the reader', () => {
  test('W27, T42: is as good as captures: L1 [7-11] when the reader is at 9', async () => {
    using history = await historyOf(9)
    await using replica = await openReplica({ store: history.store, poll: false })
    expect(replica.position.txid).toBe(9n)
    await advance(history)
    await advance(history)
    await mergeNow(history, 1, 7, 11)
    await removeFiles(history, await capturesOf(history, 7, 11))
    expect(await replica.refresh()).toBe(true)
    expect(replica.position.txid).toBe(11n)
    expect(await dumpBy(replica)).toBe(history.dump)
    await advance(history)
    expect(await replica.refresh()).toBe(true)
    expect(await newestValue(replica)).toBe(12)
  })

  test('W27: where no merge is on a boundary of the reader, a snapshot bridges', async () => {
    using history = await historyOf(5)
    await using replica = await openReplica({ store: history.store, poll: false })
    for (let i = 0; i < 5; i++) await advance(history)
    await snapshotNow(history)
    await removeFiles(history, await capturesOf(history, 2, 10))
    await advance(history)
    expect(await replica.refresh()).toBe(true)
    expect(await dumpBy(replica)).toBe(history.dump)
  })

  test('W27: a hole that nothing covers is an error within one round, and stale reads end when it is asked for', async () => {
    using history = await historyOf(5)
    await using replica = await openReplica({ store: history.store, poll: { intervalMs: 1, listMs: 0 } })
    await using strict = await openReplica({ store: history.store, poll: false, maxLagMs: 0 })
    expect(await newestValue(strict)).toBe(5)
    const errors: unknown[] = []
    const failed = new Promise<void>((resolve) =>
      replica.on('error', (error) => {
        errors.push(error)
        resolve()
      }),
    )
    history.encode()
    await advance(history)
    await failed
    expect(errors[0]).toMatchObject({ name: 'ReplicaError', code: 'gap' })
    expect(await newestValue(replica)).toBe(5)
    await strict.refresh().catch(() => undefined)
    const error = await strict.all('SELECT 1').catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'stale', cause: { code: 'gap' } })
  })
})

test('W27: what comes before a hole is shown, and the hole is told', async () => {
  using history = await historyOf(5)
  await using replica = await openReplica({ store: history.store, poll: false })
  await advance(history)
  await mergeNow(history, 1, 5, 6)
  await removeFiles(history, await capturesOf(history, 6, 6))
  history.encode()
  await advance(history)
  await expect(replica.refresh()).rejects.toMatchObject({ code: 'gap' })
  expect(await newestValue(replica)).toBe(6)
})

describe('W28: captures that retention has removed', () => {
  test('W28: a reader that fell behind goes on by merges, and shows what it says', async () => {
    using history = await historyOf(5)
    await using replica = await openReplica({ store: history.store, poll: false })
    for (let i = 0; i < 5; i++) await advance(history)
    await mergeNow(history, 1, 2, 6)
    await mergeNow(history, 1, 7, 10)
    await removeFiles(history, await capturesOf(history, 2, 10))
    expect(await replica.refresh()).toBe(true)
    expect(replica.position.txid).toBe(10n)
    expect(await dumpBy(replica)).toBe(history.dump)
    expect(await replica.get('SELECT sqlstream_txid() AS txid')).toEqual({ txid: '000000000000000a' })
  })
})

describe('T42: files under a reader', () => {
  test('T42: every file is replaced while a transaction is open: the same snapshot, cold pages too', async () => {
    using history = await bigHistory()
    await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 0 } })
    const expected = history.dump
    await replica.snapshot(async (tx) => {
      expect(await tx.get('SELECT a FROM t WHERE id = 1')).toEqual({ a: 0 })
      await history.commit('DELETE FROM t WHERE id > 5')
      await mergeNow(history, 1, 2, 3)
      await snapshotOf(history, 3)
      await snapshotNow(history)
      const { levels } = await history.replica.catalog()
      const old = (levels.get(9) ?? []).filter(({ maxTXID }) => maxTXID === 1n)
      await removeFiles(history, [...old, ...(await capturesOf(history, 2, 9))])
      expect(await dumpBy(tx)).toBe(expected)
    })
    await replica.refresh()
    expect(await dumpBy(replica)).toBe(history.dump)
  })

  test('T42: where nothing leads to the snapshot any more, reads of cold pages say so', async () => {
    using history = await bigHistory()
    await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 0 } })
    await replica.snapshot(async (tx) => {
      await history.commit('DELETE FROM t WHERE id > 5')
      await snapshotNow(history)
      const { levels } = await history.replica.catalog()
      const rest = filesOf({ levels }).filter((file) => !(file.level === 9 && file.maxTXID === history.txid))
      await removeFiles(history, rest)
      const error = await dumpBy(tx).catch((error: unknown) => error)
      expect(error).toMatchObject({
        code: 'snapshot-gone',
        message: expect.stringMatching(/snapshot of TXID 0{15}3 is no longer in the backup/),
        cause: { name: 'ReplicaError' },
      })
    })
    // The newest state takes the place of one that nobody has seen yet.
    expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 5 })
    expect(replica.position.txid).toBe(4n)
  })

  test('T42: the database shrinks and grows again', async () => {
    using history = new History({ setup: 'PRAGMA auto_vacuum = FULL' })
    await history.commit('CREATE TABLE t (id INTEGER PRIMARY KEY, a)')
    const fill = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, randomblob(300) FROM n`
    await history.commit(fill)
    await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 65536 } })
    for (const sql of [
      'DELETE FROM t WHERE id > 10',
      fill.replace('INSERT', 'INSERT OR REPLACE'),
      'DELETE FROM t',
      fill,
    ]) {
      await history.commit(sql)
      await replica.refresh()
      expect(await replica.get('PRAGMA page_count')).toEqual({
        page_count: history.commits[Number(history.txid)],
      })
      expect(await replica.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
      expect(await dumpBy(replica)).toBe(history.dump)
    }
    expect(replica.stats().cachedBytes).toBeLessThanOrEqual(65536)
  })
})

describe('F3: what is newest', () => {
  test('F3: a statement and a batch see one state, whatever arrives meanwhile', async () => {
    using history = await historyOf(2, false)
    await using replica = await openReplica({ store: history.store, poll: { intervalMs: 1 } })
    let stop = false
    const writing = (async () => {
      while (!stop) {
        await advance(history)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    let last = 0
    for (let i = 0; i < 300; i++) {
      const [[first], [second]] = (await replica.batch([
        ['SELECT a, (SELECT count(*) FROM t) AS n, sqlstream_txid() AS txid FROM t WHERE id = 1'],
        ['SELECT a FROM t WHERE id = 1'],
      ])) as [Record<string, unknown>[], Record<string, unknown>[]]
      const { a, n, txid } = first as { a: number; n: number; txid: string }
      expect(second).toEqual({ a })
      expect(Number(`0x${txid}`)).toBe(a)
      expect(n).toBe(a)
      expect(a).toBeGreaterThanOrEqual(last)
      last = a
    }
    stop = true
    await writing
    expect(last).toBeGreaterThan(2)
  })

  test('F3: a backup that ends before what was read is an error, and what was read stays', async () => {
    using history = await historyOf(5)
    await using replica = await openReplica({ store: history.store, poll: false })
    await removeFiles(history, await capturesOf(history, 4, 5))
    await expect(replica.refresh()).rejects.toMatchObject({ code: 'went-back' })
    expect(replica.position.txid).toBe(5n)
  })

  test('F3: another history at the same place is refused', async () => {
    using history = await historyOf(3)
    using other = await historyOf(3)
    await using replica = await openReplica({ store: history.store, poll: false })
    other.db.exec('UPDATE t SET a = 77')
    const { bytes, txid } = other.encode()
    await history.store.put(`ltx/0/${key(txid)}.ltx`, bytes)
    await expect(replica.refresh()).rejects.toMatchObject({ code: 'diverged' })
    expect(await newestValue(replica)).toBe(3)
  })

  test('F4: the lag is that of the last answer that nothing is newer, and a limit makes queries look first', async () => {
    using history = await historyOf(3)
    const store = withFaults(history.store, [])
    await using replica = await openReplica({ store, poll: false, maxLagMs: 20 })
    await advance(history)
    while (replica.lagMs <= 20) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await newestValue(replica)).toBe(4)
    expect(replica.lagMs).toBeLessThan(20_000)
    store.setPlan([
      { operation: 'get', fault: 'fail' },
      { operation: 'list', fault: 'fail' },
    ])
    while (replica.lagMs <= 20) await new Promise((resolve) => setTimeout(resolve, 5))
    await expect(newestValue(replica)).rejects.toMatchObject({
      code: 'stale',
      cause: { name: 'StorageError' },
    })
    store.setPlan([])
    expect(await newestValue(replica)).toBe(4)
  })

  test('F5: a capture that is in the store by half is waited for', async () => {
    using history = await historyOf(3)
    await using replica = await openReplica({ store: history.store, poll: false })
    history.db.exec('INSERT INTO t (a) VALUES (randomblob(3000))')
    const { bytes, txid } = history.encode()
    const name = `ltx/0/${key(txid)}.ltx`
    for (const cut of [0, 50, 200, bytes.byteLength - 1]) {
      await history.store.put(name, bytes.subarray(0, cut))
      await expect(replica.waitFor(txid, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'timed-out' })
    }
    await history.store.put(name, bytes)
    await replica.waitFor(txid)
    expect(await dumpBy(replica)).toBe(history.dump)
  })

  test('F5: one that stays damaged is an error', async () => {
    using history = await historyOf(3)
    await using replica = await openReplica({ store: history.store, poll: { intervalMs: 1 } })
    const failed = new Promise((resolve) => replica.on('error', resolve))
    history.db.exec('INSERT INTO t (a) VALUES (randomblob(3000))')
    const { bytes, txid } = history.encode()
    await history.store.put(`ltx/0/${key(txid)}.ltx`, bytes.subarray(0, 300))
    expect(await failed).toMatchObject({ name: 'ReplicaError', code: 'corrupt' })
  })
})

test('E4: a damaged page is an error that names the file, and other pages can be read', async () => {
  using history = await bigHistory()
  const name = 'ltx/9/0000000000000001-0000000000000001.ltx'
  const { body } = await history.store.get(name)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  const bytes = Buffer.concat(parts)
  bytes.fill(0xff, bytes.byteLength >>> 1, (bytes.byteLength >>> 1) + 5000)
  await history.store.put(name, bytes)
  await using replica = await openReplica({ store: history.store, poll: false })
  await expect(replica.all('SELECT * FROM t')).rejects.toMatchObject({
    name: 'ReplicaError',
    code: 'corrupt',
    message: expect.stringContaining(name),
  })
  expect(await replica.get('SELECT id FROM t WHERE id = 1')).toEqual({ id: 1 })
})

test('E4: so is one of a small file, which was read whole', async () => {
  using history = await historyOf(2)
  history.db.exec('UPDATE t SET a = 9')
  const { bytes, txid } = history.encode()
  // The frame of the first page begins behind the header.
  bytes.fill(0xff, 106, 116)
  await history.store.put(`ltx/0/${key(txid)}.ltx`, bytes)
  await using replica = await openReplica({ store: history.store, poll: false })
  await expect(newestValue(replica)).rejects.toMatchObject({
    name: 'ReplicaError',
    code: 'corrupt',
    message: expect.stringContaining(key(txid)),
  })
  await using before = await replica.asOf({ txid: toTXID(2) })
  expect(await newestValue(before)).toBe(2)
})

/** Three captures of a database that is too large to be read whole. */
async function bigHistory(): Promise<History> {
  const history = new History()
  await history.commit(`CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO t SELECT i, 0, randomblob(600) FROM n`)
  await history.commit('UPDATE t SET b = randomblob(500) WHERE id % 50 = 0')
  await history.commit('UPDATE t SET b = randomblob(500) WHERE id % 70 = 0')
  return history
}

/** A snapshot of an earlier state. */
async function snapshotOf(history: History, txid: number): Promise<void> {
  const catalog = await history.replica.catalog()
  const plan = planRestore(createCatalog(filesOf(catalog)), { kind: 'txid', txid: toTXID(txid) })
  await mergeNow(history, 9, 1, txid, plan.files)
}

function counted(history: History): { store: MemoryStore; take: Counted['take'] } {
  const counted = new Counted(history.store)
  return { store: counted.store as MemoryStore, take: () => counted.take() }
}

function key(txid: bigint): string {
  const name = txid.toString(16).padStart(16, '0')
  return `${name}-${name}`
}
