import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ReadReplica, SqlParams } from '../src/index.ts'
import { openReplica } from '../src/node/index.ts'
import { readSql } from '../src/node/sql-text.ts'
import { History } from './support/history.ts'
import { hydrated } from './support/hydrated.ts'

const SETUP = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
  INSERT INTO t SELECT i, 'row ' || i, randomblob(i % 7), i / 3.0 FROM n;
  CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words SELECT a FROM t;
`

/** Statements, and values for them. */
const STATEMENTS: readonly (readonly [sql: string, params?: SqlParams])[] = [
  ['SELECT * FROM t ORDER BY id'],
  ['SELECT id, id, a AS id FROM t WHERE id < 3'],
  [
    `SELECT 1 AS a, 9223372036854775807 AS b, -9007199254740993 AS c, 9007199254740991 AS d, 1.5 AS e, 1e300 AS f, -0.0 AS g`,
  ],
  [`SELECT 'é' || char(0) || '😀' AS a, char(65279) || 'x' AS b, x'00ff' AS c, null AS d, '' AS e, x'' AS f`],
  [`SELECT CAST(x'ff41' AS TEXT) AS broken`],
  [`SELECT count(*), max(a), total(c) FROM t`],
  [`SELECT count(*) AS n FROM words WHERE words MATCH 'row'`],
  [`SELECT json_extract('{"a":[1,2]}', '$.a[1]') AS x`],
  ['SELECT ? AS a, ? AS b, ? AS c', [1, 2n, 'x']],
  ['SELECT ?2 AS b, ?1 AS a', [1, 2]],
  ['SELECT ?, ?1, ?3', [1, 2, 3]],
  ['SELECT ?, :a, ?', [1, 2, 3]],
  ['SELECT :a + $b AS sum', { a: 1, $b: 2 }],
  ['SELECT @a AS a, :b AS b, :b AS again', { a: true, b: undefined }],
  [`SELECT ':x' AS a, "id" AS b, [id] AS c, \`id\` AS d /* :y ? */ FROM t WHERE id = :z -- ?`, { z: 3 }],
  ['SELECT typeof(?), typeof(?), typeof(?), typeof(?)', [1, 1.5, -0, 1e16]],
  ['SELECT ? AS a, typeof(?) AS b', [new Uint8Array(), new Uint8Array([1, 2])]],
  ['SELECT ? AS a', ['ü\0x']],
  ['SELECT ?', []],
  ['SELECT 1', [1]],
  ['SELECT :a', { b: 1 }],
  ['SELECT ?', { b: 1 }],
  ['SELECT ?', [1n << 64n]],
  ['SELECT * FROM missing'],
  ['SELEKT 1'],
  ['SELECT abs(-9223372036854775808)'],
  [`SELECT json('{')`],
  ['SELECT 1; SELECT 2'],
  [' -- nothing'],
  ['SELECT 1 AS x; -- that is all'],
  ['INSERT INTO t (a) VALUES (1)'],
  ['INSERT INTO t (a) VALUES (1) RETURNING id'],
  ['CREATE TABLE x (a)'],
  ['DROP TABLE t'],
  ['VACUUM'],
  ['PRAGMA user_version = 5'],
  ['PRAGMA user_version'],
  ['PRAGMA journal_mode'],
  ['PRAGMA integrity_check'],
  ['PRAGMA table_info(t)'],
  [`ATTACH 'other.db' AS o`],
  ['BEGIN'],
  ['SAVEPOINT a'],
  ['COMMIT'],
  ['EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 3'],
  ['SELECT sqlstream_txid(), sqlstream_time(), typeof(sqlstream_lag())'],
  ['SELECT sqlstream_txid(1)'],
]

describe('H1: the copy answers as the backup does', () => {
  const folder = new TempFolder('same')
  const history = new History()
  let remote: ReadReplica
  let local: ReadReplica

  beforeAll(async () => {
    await history.commit(SETUP)
    remote = await openReplica({ store: history.store, poll: false })
    local = await openReplica({
      store: history.store,
      poll: false,
      hydrate: { path: folder.join('copy.db') },
    })
    await hydrated(local)
  })

  afterAll(async () => {
    await local.close()
    await remote.close()
    history[Symbol.dispose]()
    folder[Symbol.dispose]()
  })

  test.each(STATEMENTS.map(([sql, params]) => ({ sql, params })))('H1: $sql', async ({ sql, params }) => {
    expect(await outcome(local, sql, params)).toEqual(await outcome(remote, sql, params))
    expect(await rowsOf(local, sql, params)).toEqual(await rowsOf(remote, sql, params))
    expect(local.source).toBe('hydrated')
  })

  test('H1: several statements, and one that leaves a transaction open', async () => {
    const list = [['BEGIN'], ['SELECT count(*) AS n FROM t'], ['COMMIT']] as const
    expect(await local.batch(list)).toEqual(await remote.batch(list))
    await expect(local.batch([['BEGIN'], ['SELECT * FROM missing']])).rejects.toMatchObject({ code: 'sql' })
    expect(await local.get('SELECT 1 AS x')).toEqual({ x: 1 })
  })

  test('H1: a statement that was kept goes on over a change of the schema', async () => {
    expect(await local.get('SELECT * FROM t WHERE id = 1')).toMatchObject({ id: 1 })
    await history.commit(`ALTER TABLE t ADD COLUMN d DEFAULT 'new'`)
    await local.refresh()
    await remote.refresh()
    const sql = 'SELECT * FROM t WHERE id = 1'
    expect(await outcome(local, sql)).toEqual(await outcome(remote, sql))
    expect((await local.table(sql)).columns).toEqual(['id', 'a', 'b', 'c', 'd'])
  })
})

test('H1: parameters are numbered as SQLite does', () => {
  const names = (sql: string): unknown => readSql(sql).parameters
  expect(names('SELECT ?, :a, ?5, @b, :a, ?')).toEqual([
    undefined,
    ':a',
    undefined,
    undefined,
    '?5',
    '@b',
    undefined,
  ])
  expect(names(`SELECT '?', "?", [?], \`?\` -- ?\n/* ? */, ?`)).toEqual([undefined])
  expect(names('SELECT $a::b(c), x1?')).toEqual(['$a::b(c)', undefined])
  expect(readSql('/* x */ -- y\n  aTTach ?')).toEqual({ verb: 'ATTACH', parameters: [undefined] })
})

/** Rows, or what distinguishes an error from others. */
async function outcome(replica: ReadReplica, sql: string, params?: SqlParams): Promise<unknown> {
  return await replica.table(sql, params).catch(kindOf)
}

async function rowsOf(replica: ReadReplica, sql: string, params?: SqlParams): Promise<unknown> {
  const rows: unknown[] = []
  try {
    for await (const row of replica.iterate(sql, params)) rows.push(row)
    return rows
  } catch (error) {
    return kindOf(error)
  }
}

function kindOf(error: unknown): unknown {
  const { name, code, sqliteCode, hint, message } = error as Record<string, unknown>
  // What SQLite says of its own is not the same in each of its versions.
  return { name, code, sqliteCode, hint, ...(name === 'TypeError' && { message }) }
}
