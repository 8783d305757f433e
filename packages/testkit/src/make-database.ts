import Database from 'better-sqlite3'
import { Random } from './random.ts'

/** What {@link makeDatabase} makes. */
export interface MakeDatabaseOptions {
  /** Default 4096. */
  readonly pageSize?: number
  /** Rows of about 100 bytes in table `t(id, name, body)`. Default 100. */
  readonly rows?: number
  /** WAL mode; otherwise a rollback journal. Default true. */
  readonly wal?: boolean
  /** Default 1. */
  readonly seed?: number
}

/** Makes a small database with one table and an index, fully checkpointed and closed. */
export function makeDatabase(path: string, options: MakeDatabaseOptions = {}): void {
  const { pageSize = 4096, rows = 100, wal = true, seed = 1 } = options
  const random = new Random(seed)
  const db = new Database(path)
  db.pragma(`page_size=${pageSize}`)
  db.pragma(`journal_mode=${wal ? 'WAL' : 'DELETE'}`)
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, body BLOB); CREATE INDEX t_name ON t(name)')
  const insert = db.prepare('INSERT INTO t(name, body) VALUES(?, ?)')
  db.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(`name ${random.below(1e9)}`, random.bytes(random.below(170)))
  })()
  db.close()
}
