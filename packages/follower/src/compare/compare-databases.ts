import Database from 'better-sqlite3'
import { quoted, shapeOf, type TableShape } from './table-shape.ts'

/** What SQLite holds in a column. */
export type SQLValue = null | bigint | number | string | Uint8Array

/** A row that is in one database only, or not the same in both. */
export interface RowDiff {
  readonly change: 'added' | 'removed' | 'changed'
  /** Values of the key's columns. */
  readonly key: readonly SQLValue[]
  /** Of a changed row only columns that differ; absent for an added one. */
  readonly before?: Readonly<Record<string, SQLValue>> | undefined
  readonly after?: Readonly<Record<string, SQLValue>> | undefined
}

/** What differs in a table that both databases have. */
export interface TableDiff {
  readonly name: string
  /** Columns by which rows are told apart. */
  readonly key: readonly string[]
  readonly added: number
  readonly removed: number
  readonly changed: number
  /** The first ones of each kind. */
  readonly rows: readonly RowDiff[]
}

/** What differs between two databases. */
export interface DatabaseDiff {
  /** Tables, indexes, views and triggers. */
  readonly schema: readonly {
    readonly type: string
    readonly name: string
    readonly change: 'added' | 'removed' | 'changed'
  }[]
  /** Those in which rows differ. */
  readonly tables: readonly TableDiff[]
  /** Tables that cannot be compared row by row: virtual ones, and those whose key is another one. */
  readonly skipped: readonly string[]
}

/** Options of `compareDatabases`. */
export interface CompareOptions {
  /** Rows of each kind that are listed for a table. Default 20. */
  readonly limit?: number | undefined
  /** Compare these tables only. Default: all. */
  readonly tables?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Tells in which rows two database files differ, by primary key, or by rowid where there is none. Values are compared with their types. Nobody may have
 * the files open.
 */
export function compareDatabases(before: string, after: string, options: CompareOptions = {}): DatabaseDiff {
  const { limit = 20, tables: wanted, signal } = options
  const db = new Database(before, { readonly: true, fileMustExist: true })
  try {
    db.defaultSafeIntegers(true)
    db.prepare('ATTACH ? AS later').run(after)
    const tables: TableDiff[] = []
    const skipped: string[] = []
    for (const { name, isVirtual } of commonTables(db)) {
      signal?.throwIfAborted()
      if (wanted && !wanted.includes(name)) continue
      const shape = isVirtual ? undefined : shapeOf(db, name)
      if (shape === undefined) {
        skipped.push(name)
        continue
      }
      const diff = compareTable(db, shape, limit)
      if (diff.added + diff.removed + diff.changed > 0) tables.push(diff)
    }
    return { schema: schemaDiff(db), tables, skipped }
  } finally {
    db.close()
  }
}

function commonTables(db: Database.Database): { name: string; isVirtual: boolean }[] {
  const sql = `SELECT a.name, a.sql LIKE 'CREATE VIRTUAL%' OR b.sql LIKE 'CREATE VIRTUAL%'
    FROM main.sqlite_schema a JOIN later.sqlite_schema b ON a.name = b.name
    WHERE a.type = 'table' AND b.type = 'table' AND a.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY a.name`
  const rows = db.prepare(sql).raw().all() as [string, bigint][]
  return rows.map(([name, isVirtual]) => ({ name, isVirtual: isVirtual === 1n }))
}

function schemaDiff(db: Database.Database): DatabaseDiff['schema'] {
  const own = (schema: string): string =>
    `(SELECT type, name, sql FROM ${schema}.sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\')`
  const sql = `SELECT coalesce(a.type, b.type) AS type, coalesce(a.name, b.name) AS name,
      CASE WHEN a.name IS NULL THEN 'added' WHEN b.name IS NULL THEN 'removed' ELSE 'changed' END AS change
    FROM ${own('main')} a FULL JOIN ${own('later')} b ON a.type = b.type AND a.name = b.name
    WHERE a.sql IS NOT b.sql ORDER BY 1, 2`
  return db.prepare(sql).all() as DatabaseDiff['schema']
}

function compareTable(db: Database.Database, shape: TableShape, limit: number): TableDiff {
  const { name, key, columns } = shape
  const table = quoted(name)
  const onKey = key.map((column) => `a.${quoted(column)} IS b.${quoted(column)}`).join(' AND ')
  const differs = columns.map(differing).join(' OR ') || 'FALSE'
  const alone = (mine: string, other: string): string =>
    `FROM ${mine}.${table} a WHERE NOT EXISTS (SELECT 1 FROM ${other}.${table} b WHERE ${onKey})`
  const both = `FROM main.${table} a JOIN later.${table} b ON ${onKey} WHERE ${differs}`
  const count = (from: string): number => Number(db.prepare(`SELECT count(*) ${from}`).pluck().get())
  const list = (from: string, sides: readonly ('a' | 'b')[]): SQLValue[][] => {
    const values = sides.flatMap((side) => columns.map((column) => `${side}.${quoted(column)}`))
    const keys = key.map((column) => `a.${quoted(column)}`)
    const sql = `SELECT ${[...keys, ...values].join(', ')} ${from} ORDER BY ${keys.join(', ')} LIMIT ?`
    return db.prepare(sql).raw().all(limit) as SQLValue[][]
  }
  const [removed, added] = [alone('main', 'later'), alone('later', 'main')]
  const rowOf = (values: readonly SQLValue[], offset: number): Record<string, SQLValue> =>
    Object.fromEntries(columns.map((column, i) => [column, values[key.length + offset + i] as SQLValue]))
  const rows: RowDiff[] = [
    ...list(added, ['a']).map((row) => ({
      change: 'added' as const,
      key: row.slice(0, key.length),
      after: rowOf(row, 0),
    })),
    ...list(removed, ['a']).map((row) => ({
      change: 'removed' as const,
      key: row.slice(0, key.length),
      before: rowOf(row, 0),
    })),
    ...list(both, ['a', 'b']).map((row) => ({
      change: 'changed' as const,
      key: row.slice(0, key.length),
      ...onlyDifferent(rowOf(row, 0), rowOf(row, columns.length)),
    })),
  ]
  return { name, key, added: count(added), removed: count(removed), changed: count(both), rows }
}

/** With types, since 1 is 1.0 for SQLite, and whatever the column's collation takes for equal. */
function differing(column: string): string {
  const name = quoted(column)
  return `a.${name} IS NOT b.${name} COLLATE BINARY OR typeof(a.${name}) <> typeof(b.${name})`
}

function onlyDifferent(
  before: Record<string, SQLValue>,
  after: Record<string, SQLValue>,
): Pick<RowDiff, 'before' | 'after'> {
  const names = Object.keys(before).filter(
    (name) => !isSame(before[name] as SQLValue, after[name] as SQLValue),
  )
  const pick = (row: Record<string, SQLValue>): Record<string, SQLValue> =>
    Object.fromEntries(names.map((name) => [name, row[name] as SQLValue]))
  return { before: pick(before), after: pick(after) }
}

function isSame(a: SQLValue, b: SQLValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return Object.is(a, b)
}
