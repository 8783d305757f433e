import { MemoryStore, withFaults } from '@sqlstream/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReadReplicaError, type ReadReplica } from '../src/index.ts'
import { compiledSqlite } from '../src/node/compiled-sqlite.ts'
import { openReplica } from '../src/node/index.ts'
import { startWorker } from '../src/node/start-worker.ts'
import { openWith } from '../src/open.ts'
import { dumpBy } from './support/dump.ts'
import { History } from './support/history.ts'

const SETUP = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
  INSERT INTO t SELECT i, 'row ' || i, randomblob(50) FROM n;
  CREATE VIRTUAL TABLE words USING fts5(w);
  INSERT INTO words SELECT a FROM t;
`

/** Too large to be read whole when it is opened. */
const LARGE_SETUP = `CREATE TABLE t (a); ${SETUP.slice(SETUP.indexOf('WITH'), SETUP.indexOf('INSERT'))}
  INSERT INTO t SELECT randomblob(500) FROM n;`

describe('a replica of a small database', () => {
  let history: History
  let replica: ReadReplica

  beforeAll(async () => {
    history = new History()
    await history.commit(SETUP)
    replica = await openReplica({ store: history.store, poll: false })
  })

  afterAll(async () => {
    await replica.close()
    history[Symbol.dispose]()
  })

  test('Q1: gives the values of SQLite: integers of 64 bits, floats, text, blobs, null', async () => {
    const sql = `SELECT 1 AS a, 9223372036854775807 AS b, -9007199254740993 AS c, 1.5 AS d, 'é' || char(0) || '😀' AS e, x'00ff' AS f, null AS g, '' AS h, x'' AS i, char(65279) || 'x' AS j`
    expect(await replica.get(sql)).toEqual({
      a: 1,
      b: 9223372036854775807n,
      c: -9007199254740993n,
      d: 1.5,
      e: 'é\0😀',
      f: new Uint8Array([0, 255]),
      g: null,
      h: '',
      i: new Uint8Array(),
      j: '\ufeffx',
    })
  })

  test('Q1: takes the same values as parameters, by position and by name', async () => {
    const values = [7, 1n << 62n, 0.25, 'ü\0x', new Uint8Array([1, 2]), null, true, '', new Uint8Array()]
    const marks = values.map((_, i) => `? AS c${i}`).join(', ')
    expect(Object.values((await replica.get(`SELECT ${marks}`, values)) ?? {})).toEqual([
      7,
      1n << 62n,
      0.25,
      'ü\0x',
      new Uint8Array([1, 2]),
      null,
      1,
      '',
      new Uint8Array(),
    ])
    expect(await replica.get('SELECT :a + $b AS sum', { a: 1, $b: 2 })).toEqual({ sum: 3 })
    await expect(replica.get('SELECT ?', [])).rejects.toThrow(TypeError)
    await expect(replica.get('SELECT :a', { b: 1 })).rejects.toThrow(/no value for parameter :a/)
    await expect(replica.get('SELECT ?', [1n << 64n])).rejects.toThrow(/64 bits/)
    await expect(replica.get('SELECT ?', [Symbol('x') as never])).rejects.toThrow()
  })

  test('Q1: full-text search, JSON and R-trees work', async () => {
    expect(await replica.get(`SELECT count(*) AS n FROM words WHERE words MATCH 'row'`)).toEqual({ n: 2000 })
    expect(await replica.get(`SELECT json_extract('{"a":[1,2]}', '$.a[1]') AS x`)).toEqual({ x: 2 })
    expect(await replica.get(`SELECT 1 AS ok FROM pragma_module_list WHERE name = 'rtree'`)).toEqual({
      ok: 1,
    })
  })

  test.each([
    ['INSERT INTO t (a) VALUES (1)', 'SQLITE_READONLY', /attempt to write a readonly database/],
    ['CREATE TABLE x (a)', 'SQLITE_READONLY', /readonly/],
    ['DROP TABLE t', 'SQLITE_READONLY', /readonly/],
    ['VACUUM', 'SQLITE_READONLY', /readonly/],
    ['PRAGMA user_version = 5', 'SQLITE_READONLY', /readonly/],
    ['SELECT * FROM missing', 'SQLITE_ERROR', /no such table: missing/],
    ['SELEKT 1', 'SQLITE_ERROR', /syntax error/],
    [`ATTACH 'other.db' AS o`, 'SQLITE_CANTOPEN', /unable to open database/],
  ])('Q2: %s fails as in SQLite', async (sql, sqliteCode, message) => {
    const error = await replica.all(sql).catch((error: unknown) => error)
    expect(isReadReplicaError(error, 'sql')).toBe(true)
    expect(error).toMatchObject({ sqliteCode, message: expect.stringMatching(message) })
    expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 2000 })
  })

  test('Q2: what would change how the file is used changes nothing', async () => {
    expect(await replica.all('PRAGMA journal_mode')).toEqual([{ journal_mode: 'delete' }])
    await replica.all('PRAGMA journal_mode = WAL').catch(() => undefined)
    await replica.all('PRAGMA mmap_size = 1000000')
    await replica.all('PRAGMA locking_mode = EXCLUSIVE').catch(() => undefined)
    await replica.all('PRAGMA locking_mode = NORMAL')
    expect(await replica.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
    expect(await replica.all('CREATE TEMP TABLE own AS SELECT * FROM t LIMIT 3')).toEqual([])
    expect(await replica.get('SELECT count(*) AS n FROM own')).toEqual({ n: 3 })
    await replica.all('DROP TABLE own')
  })

  test('Q3: one statement at a time, and no transaction is left open', async () => {
    await expect(replica.all('SELECT 1; SELECT 2')).rejects.toThrow(/more than one statement/)
    await expect(replica.all(' -- nothing')).rejects.toThrow(/no statement/)
    expect(await replica.all('SELECT 1 AS x; -- that is all')).toEqual([{ x: 1 }])
    for (const sql of ['BEGIN', 'SAVEPOINT a']) {
      await expect(replica.all(sql)).rejects.toMatchObject({ code: 'open-transaction' })
    }
    const sets = await replica.batch([['BEGIN'], ['SELECT 1 AS x'], ['COMMIT']])
    expect(sets).toEqual([[], [{ x: 1 }], []])
    await expect(replica.batch([['BEGIN'], ['SELECT * FROM missing']])).rejects.toMatchObject({ code: 'sql' })
    expect(await replica.all('SELECT 1 AS x')).toEqual([{ x: 1 }])
  })

  test('Q4: tells the state by functions and by its properties', async () => {
    expect(await replica.get('SELECT sqlstream_txid() AS txid, sqlstream_time() AS time')).toEqual({
      txid: '0000000000000001',
      time: '2026-01-01T00:00:01.000Z',
    })
    const lag = (await replica.get<{ lag: number }>('SELECT sqlstream_lag() AS lag'))?.lag
    expect(lag).toBeGreaterThanOrEqual(0)
    expect(replica.position).toEqual({ txid: 1n, time: new Date('2026-01-01T00:00:01Z') })
    await using fixed = await replica.asOf({ txid: history.txid })
    expect(await fixed.get('SELECT sqlstream_lag() AS lag')).toEqual({ lag: null })
    expect(fixed.lagMs).toBe(0)
  })

  test('Q5: rows come one by one, and the statement ends with the loop', async () => {
    const seen: number[] = []
    for await (const { id } of replica.iterate<{ id: number }>('SELECT id, b FROM t ORDER BY id')) {
      seen.push(id)
      if (id === 7) expect(await replica.get('SELECT max(id) AS m FROM t')).toEqual({ m: 2000 })
    }
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => i + 1))
    for await (const { id } of replica.iterate<{ id: number }>('SELECT id FROM t WHERE id > ?', [10])) {
      expect(id).toBe(11)
      break
    }
    await expect(replica.iterate('SELECT * FROM missing').next()).rejects.toMatchObject({ code: 'sql' })
  })

  test('Q6: a statement that takes long ends when its signal aborts, and the next one runs', async () => {
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'
    const controller = new AbortController()
    const running = replica.all(endless, [], { signal: controller.signal })
    const queued = new AbortController()
    const second = replica.all(endless, [], { signal: queued.signal })
    queued.abort(new Error('not needed'))
    await expect(second).rejects.toThrow('not needed')
    controller.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    expect(await replica.get('SELECT 1 AS x')).toEqual({ x: 1 })
    await expect(
      replica.all('SELECT 1', [], { signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before')
  })
})

test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const)(
  'V1: pages of %i bytes, with a cache of few pages',
  async (pageSize) => {
    using history = new History({ pageSize })
    await history.commit(SETUP)
    await history.commit('DELETE FROM t WHERE id % 3 = 0; CREATE INDEX i ON t (a)')
    await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 0 } })
    expect(await dumpBy(replica)).toBe(history.dump)
    expect(await replica.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
    expect(replica.stats().cachedBytes).toBeLessThanOrEqual(16 * pageSize)
  },
)

test('Q6: a statement that waits for the store ends when its signal aborts', async () => {
  using history = new History()
  await history.commit(LARGE_SETUP)
  const hanging = Promise.withResolvers<void>()
  const store = withFaults(history.store, [])
  await using replica = await openReplica({ store, poll: false })
  const asked = Promise.withResolvers<void>()
  store.setPlan([
    {
      operation: 'get',
      fault: 'delay',
      wait: () => {
        asked.resolve()
        return hanging.promise
      },
    },
  ])
  const controller = new AbortController()
  const running = replica.all('SELECT * FROM t', [], { signal: controller.signal })
  await asked.promise
  controller.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  hanging.resolve()
  store.setPlan([])
  expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 2000 })
})

test('E1: errors of the store pass through as they are, and the next try may succeed', async () => {
  using history = new History()
  await history.commit(LARGE_SETUP)
  const store = withFaults(history.store, [])
  await using replica = await openReplica({ store, poll: false })
  const error = new Error('no network')
  store.setPlan([{ operation: 'get', fault: 'fail', error }])
  await expect(replica.all('SELECT * FROM t')).rejects.toBe(error)
  store.setPlan([])
  expect(await replica.get('SELECT count(*) AS n FROM t')).toEqual({ n: 2000 })
})

test('E2: what cannot be opened says so, and leaves no thread behind', async () => {
  await expect(openReplica({ store: new MemoryStore() })).rejects.toMatchObject({ code: 'no-snapshot' })
  await expect(openReplica({})).rejects.toThrow(TypeError)
  const signal = AbortSignal.abort(new Error('no'))
  await expect(openReplica({ store: new MemoryStore(), signal })).rejects.toThrow('no')
})

test('E2: SQLite is compiled once for all threads; one that is given none compiles it by itself', async () => {
  using history = new History()
  await history.commit(SETUP)
  const openIn = (wasmModule: WebAssembly.Module | undefined): Promise<ReadReplica> =>
    openWith((events) => startWorker('engine-worker', events), {
      store: history.store,
      poll: false,
      wasmModule,
    })
  const compiled = await compiledSqlite()
  expect(compiled).toBeInstanceOf(WebAssembly.Module)
  expect(await compiledSqlite()).toBe(compiled)
  for (const wasmModule of [compiled, undefined]) {
    await using replica = await openIn(wasmModule)
    expect(await dumpBy(replica)).toBe(history.dump)
  }
})

test('E3: after close everything rejects with "closed", what is under way too', async () => {
  using history = new History()
  await history.commit(SETUP)
  const replica = await openReplica({ store: history.store })
  const past = await replica.asOf({ txid: history.txid })
  const running = replica.all(
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n',
  )
  const failed = expect(running).rejects.toMatchObject({ code: 'closed' })
  await replica.close()
  await past.close()
  await replica.close()
  await failed
  for (const closed of [replica, past]) {
    await expect(closed.all('SELECT 1')).rejects.toMatchObject({ code: 'closed' })
    await expect(closed.snapshot(async () => 1)).rejects.toMatchObject({ code: 'closed' })
    await expect(closed.refresh()).rejects.toMatchObject({ code: 'closed' })
  }
})
