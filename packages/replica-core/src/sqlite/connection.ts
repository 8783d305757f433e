import Database from 'better-sqlite3'
import { PrimaryError } from '../errors.ts'

/**
 * A read-only connection that can hold a read transaction. Read-only, because a read-write one
 * deletes the WAL when it is the last to close.
 *
 * `PRAGMA user_version` starts the transaction without parsing the schema, so a held connection
 * costs 180 KB whatever the schema.
 */
export class ReadHold {
  readonly #db: Database.Database
  readonly #begin: Database.Statement
  readonly #touch: Database.Statement
  readonly #end: Database.Statement
  #held = false

  /** @throws PrimaryError `exclusive-locking`, `not-a-database`, `state-folder` */
  constructor(path: string) {
    this.#db = openDatabase(path, true)
    try {
      this.#begin = this.#db.prepare('BEGIN')
      this.#touch = this.#db.prepare('PRAGMA user_version')
      this.#end = this.#db.prepare('COMMIT')
    } catch (error) {
      this.#db.close()
      throw wrapSQLiteError(error, path)
    }
  }

  get held(): boolean {
    return this.#held
  }

  /** Starts a read transaction on the newest commit. Any older one must have ended. */
  begin(): void {
    this.#begin.run()
    try {
      this.#touch.get()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      throw wrapSQLiteError(error, this.#db.name)
    }
    this.#held = true
  }

  end(): void {
    if (!this.#held) return
    this.#end.run()
    this.#held = false
  }

  close(): void {
    this.#db.close()
  }
}

/** Opens a connection with the errors of SQLite turned into ours. */
export function openDatabase(path: string, readonly: boolean, timeout = 1000): Database.Database {
  try {
    return new Database(path, { readonly, fileMustExist: true, timeout })
  } catch (error) {
    throw wrapSQLiteError(error, path)
  }
}

export function isBusy(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
}

function wrapSQLiteError(error: unknown, path: string): unknown {
  const code = (error as { code?: string } | undefined)?.code ?? ''
  if (isBusy(error)) {
    return new PrimaryError('exclusive-locking', `${path} is locked by another connection`, {
      cause: error,
      hint: 'If the application uses PRAGMA locking_mode=EXCLUSIVE, nobody else can read its WAL: turn that off.',
    })
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new PrimaryError('not-a-database', `${path} cannot be read as an SQLite database`, {
      cause: error,
      hint: 'The file may be encrypted or damaged. Try PRAGMA integrity_check with the application stopped.',
    })
  }
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY')) {
    return new PrimaryError('state-folder', `${path} cannot be opened with its -wal and -shm files`, {
      cause: error,
      hint: 'The folder of the database must be writable for the user that runs sqlstream.',
    })
  }
  return error
}
