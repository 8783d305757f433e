import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { compareDatabases, type DatabaseDiff } from '../src/index.ts'

/** What differs after some SQL. */
function diff(
  begin: string,
  then: string,
  options: Parameters<typeof compareDatabases>[2] = {},
): DatabaseDiff {
  using folder = new TempFolder('compare')
  const [before, after] = [folder.join('before.db'), folder.join('after.db')]
  for (const [path, sql] of [
    [before, begin],
    [after, `${begin};${then}`],
  ] as const) {
    const db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.exec(sql)
    db.close()
  }
  return compareDatabases(before, after, options)
}

const NOTES = `CREATE TABLE note(id INTEGER PRIMARY KEY, text, n);
  INSERT INTO note VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)`

test('F16: rows by their primary key: added, removed, and what has changed in them', () => {
  const then =
    "INSERT INTO note VALUES (9, 'nine', 9); DELETE FROM note WHERE id = 1; UPDATE note SET n = 20 WHERE id = 2"
  expect(diff(NOTES, then)).toEqual({
    schema: [],
    skipped: [],
    tables: [
      {
        name: 'note',
        key: ['id'],
        added: 1,
        removed: 1,
        changed: 1,
        rows: [
          { change: 'added', key: [9n], after: { text: 'nine', n: 9n } },
          { change: 'removed', key: [1n], before: { text: 'one', n: 1n } },
          { change: 'changed', key: [2n], before: { n: 2n }, after: { n: 20n } },
        ],
      },
    ],
  })
})

test('nothing differs after changes that leave every row as it is', () => {
  const none = { schema: [], skipped: [], tables: [] }
  expect(diff(NOTES, 'VACUUM; UPDATE note SET n = n')).toEqual(none)
})

test.each([
  [
    'keys of several columns, without rowid',
    'CREATE TABLE t(a, b, c, PRIMARY KEY (b, a)) WITHOUT ROWID',
    ['b', 'a'],
  ],
  ['a text as key', 'CREATE TABLE t(a, b TEXT PRIMARY KEY, c)', ['b']],
  ['no key', 'CREATE TABLE t(a, b, c)', ['rowid']],
  ['names that need quotes', 'CREATE TABLE t(a, "b ""x""" TEXT PRIMARY KEY, "select")', ['b "x"']],
])('%s', (_, create, key) => {
  const begin = `${create}; INSERT INTO t VALUES (1, 'k', 'v'), (2, 'l', 'w')`
  const [table] = diff(begin, "UPDATE t SET a = a WHERE FALSE; INSERT INTO t VALUES (3, 'm', NULL)").tables
  expect(table).toMatchObject({ key, added: 1, removed: 0, changed: 0 })
})

test('a key that holds NULL does not tell rows apart: the rowid does', () => {
  const begin = 'CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES (NULL, 1), (NULL, 2)'
  expect(diff(begin, 'UPDATE t SET v = 3 WHERE v = 2').tables).toMatchObject([
    { key: ['rowid'], changed: 1, added: 0 },
  ])
})

test.each([
  ['a number and its text', "UPDATE t SET v = '1'"],
  ['an integer and a real', 'UPDATE t SET v = 1.0'],
  ['NULL and an empty text', "UPDATE t SET w = ''"],
  ['letters that the collation takes for equal', "UPDATE t SET c = 'ABC'"],
  ['a text and its bytes', "UPDATE t SET c = CAST('abc' AS BLOB)"],
])('%s differ', (_, then) => {
  const begin =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w, c COLLATE NOCASE); INSERT INTO t VALUES (1, 1, NULL, 'abc')"
  expect(diff(begin, then).tables).toMatchObject([{ changed: 1 }])
})

test('the schema: what came, what went, what is another one; common columns are compared', () => {
  const then = `CREATE TABLE extra(a); CREATE INDEX i ON note(text); ALTER TABLE note ADD COLUMN more DEFAULT 7;
    UPDATE note SET text = 'changed' WHERE id = 3; DROP TABLE gone`
  const { schema, tables } = diff(`${NOTES}; CREATE TABLE gone(a)`, then)
  expect(schema).toEqual([
    { type: 'index', name: 'i', change: 'added' },
    { type: 'table', name: 'extra', change: 'added' },
    { type: 'table', name: 'gone', change: 'removed' },
    { type: 'table', name: 'note', change: 'changed' },
  ])
  expect(tables).toMatchObject([{ name: 'note', changed: 1, added: 0 }])
})

test('F16: what is listed is bounded, what is counted is not; virtual tables are left out and named', () => {
  const many =
    'WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 109) INSERT INTO note SELECT i, i, i FROM n'
  const result = diff(
    `${NOTES}; CREATE VIRTUAL TABLE f USING fts5(x)`,
    `${many}; INSERT INTO f VALUES ('word')`,
    {
      limit: 5,
      tables: ['note', 'f'],
    },
  )
  expect(result.skipped).toEqual(['f'])
  expect(result.tables).toMatchObject([{ name: 'note', added: 100 }])
  expect(result.tables[0]?.rows).toHaveLength(5)
})
