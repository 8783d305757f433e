import Database from 'better-sqlite3'

/** An application's database in WAL mode, which stays open as it does in an application. */
export class App implements Disposable {
  readonly path: string
  readonly db: Database.Database
  #rows: number

  constructor(path: string) {
    this.path = path
    this.db = new Database(path)
    this.db.pragma('journal_mode = WAL')
    this.db.exec('CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, body BLOB)')
    this.#rows = this.db.prepare('SELECT coalesce(max(n), 0) FROM entry').pluck().get() as number
  }

  /** Commits this many transactions of one row each. */
  commit(count = 1): void {
    const insert = this.db.prepare('INSERT INTO entry VALUES (?, randomblob(200))')
    for (let i = 0; i < count; i++) insert.run(++this.#rows)
  }

  [Symbol.dispose](): void {
    this.db.close()
  }
}

/** All rows of a database, as text that can be compared; `problems` is what integrity_check says. */
export function contents(path: string): { rows: string; problems: string } {
  const db = new Database(path, { readonly: true })
  try {
    const rows = db.prepare('SELECT n || hex(body) FROM entry ORDER BY n').pluck().all() as string[]
    return { rows: rows.join('\n'), problems: String(db.pragma('integrity_check', { simple: true })) }
  } finally {
    db.close()
  }
}
