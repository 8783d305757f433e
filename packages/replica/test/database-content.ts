import Database from 'better-sqlite3'

/** What a database holds, comparable. */
export interface Content {
  readonly schema: readonly unknown[]
  readonly rows: Readonly<Record<string, readonly unknown[]>>
}

/** What a `.dump` of the sqlite3 program makes, read back from a database in memory. */
export function dumped(sql: string): Content {
  // A dump writes the row of a virtual table into sqlite_schema itself.
  const database = new Database(':memory:').unsafeMode()
  database.exec(sql)
  return contentOf(database)
}

/** Schema and every row in its order, as `.dump` shows them; closes the database. */
export function contentOf(database: Database.Database): Content {
  try {
    const schema = database
      .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
      .all()
    // What a virtual table holds lies in ordinary tables beside it.
    const isOrdinary = "type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    const tables = database
      .prepare(`SELECT name FROM sqlite_schema WHERE ${isOrdinary} ORDER BY name`)
      .pluck()
      .all()
    const rows = tables.map((table) => [table, database.prepare(`SELECT * FROM "${table}"`).raw().all()])
    return { schema, rows: Object.fromEntries(rows) as Content['rows'] }
  } finally {
    database.close()
  }
}

/** What SQLite's integrity_check says first. */
export function integrity(path: string): unknown {
  const database = new Database(path, { readonly: true })
  try {
    return database.pragma('integrity_check', { simple: true })
  } finally {
    database.close()
  }
}
