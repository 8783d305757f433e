import { type Pointer, SQLITE, type SqliteExports } from './sqlite-module.ts'

/**
 * Keeps the transaction of a connection after its statement has ended, by a statement of its own that stays under way: those that follow need neither lock the file
 * nor ask whether it has changed.
 */
export class HeldTransaction {
  readonly #sqlite: SqliteExports
  readonly #db: Pointer
  readonly #prepare: (sql: string) => Pointer
  #statement: Pointer | undefined
  #isUnderWay = false

  constructor(sqlite: SqliteExports, db: Pointer, prepare: (sql: string) => Pointer) {
    this.#sqlite = sqlite
    this.#db = db
    this.#prepare = prepare
  }

  /** Not inside of a transaction of the user's. Tells whether it is kept; what is in the way of that will be in that of the next statement too. */
  hold(): boolean {
    if (this.#isUnderWay) return true
    if (this.#sqlite.sqlite3_get_autocommit(this.#db) === 0) return false
    try {
      this.#statement ??= this.#prepare('SELECT 1 FROM sqlite_schema')
    } catch {
      return false
    }
    // Without a row it has ended: a database without tables.
    this.#isUnderWay = this.#sqlite.sqlite3_step(this.#statement) === SQLITE.ROW
    if (!this.#isUnderWay) this.#sqlite.sqlite3_reset(this.#statement)
    return this.#isUnderWay
  }

  /** When nothing else is under way, the next statement reads the newest state. */
  letGo(): void {
    if (this.#isUnderWay && this.#statement !== undefined) this.#sqlite.sqlite3_reset(this.#statement)
    this.#isUnderWay = false
  }

  close(): void {
    if (this.#statement !== undefined) this.#sqlite.sqlite3_finalize(this.#statement)
    this.#statement = undefined
    this.#isUnderWay = false
  }
}
