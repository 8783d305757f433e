import type Database from 'better-sqlite3'

/** How the rows of a table are told apart, and what they hold. */
export interface TableShape {
  readonly name: string
  /** Columns of the primary key, or `rowid`. */
  readonly key: readonly string[]
  /** Columns that both databases have, without those of the key. */
  readonly columns: readonly string[]
}

/** A name as SQL takes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

interface Column {
  readonly name: string
  /** Place in the primary key, from 1; 0 when it is no part of it. */
  readonly pk: bigint
}

/** The shape of a table that is in `main` and in `later`. Undefined when its rows cannot be told apart in both in the same way. */
export function shapeOf(db: Database.Database, name: string): TableShape | undefined {
  const [before, after] = (['main', 'later'] as const).map((schema) => columnsOf(db, schema, name))
  if (before === undefined || after === undefined) return undefined
  const key = keyOf(before)
  const isSameKey = key.join('\0') === keyOf(after).join('\0')
  const common = before.map(({ name }) => name).filter((name) => after.some((column) => column.name === name))
  if (isSameKey && key.length > 0 && !hasNull(db, name, key)) {
    return { name, key, columns: common.filter((column) => !key.includes(column)) }
  }
  if (!hasRowid(db, name, common)) return undefined
  return { name, key: ['rowid'], columns: common }
}

function columnsOf(db: Database.Database, schema: string, name: string): Column[] {
  return db.prepare(`SELECT name, pk FROM pragma_table_info(?, ?) ORDER BY cid`).all(name, schema) as Column[]
}

function keyOf(columns: readonly Column[]): string[] {
  return columns
    .filter(({ pk }) => pk > 0n)
    .sort((a, b) => Number(a.pk - b.pk))
    .map(({ name }) => name)
}

/** A primary key may hold NULL as often as it likes, but for one that is the rowid. */
function hasNull(db: Database.Database, name: string, key: readonly string[]): boolean {
  const test = key.map((column) => `${quoted(column)} IS NULL`).join(' OR ')
  return (['main', 'later'] as const).some(
    (schema) =>
      db.prepare(`SELECT 1 FROM ${schema}.${quoted(name)} WHERE ${test} LIMIT 1`).get() !== undefined,
  )
}

function hasRowid(db: Database.Database, name: string, columns: readonly string[]): boolean {
  if (columns.some((column) => column.toLowerCase() === 'rowid')) return false
  try {
    for (const schema of ['main', 'later'] as const) {
      db.prepare(`SELECT rowid FROM ${schema}.${quoted(name)} LIMIT 1`).get()
    }
    return true
  } catch {
    return false
  }
}
