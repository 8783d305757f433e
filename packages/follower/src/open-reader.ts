import Database from 'better-sqlite3'

/** What a connection to a copy can do: a part of better-sqlite3's, in its words. */
export interface CopyConnection {
  readonly inTransaction: boolean
  prepare(sql: string): CopyStatement
  exec(sql: string): unknown
  pragma(text: string): unknown
  function(name: string, options: { readonly deterministic?: boolean }, value: () => unknown): unknown
  close(): unknown
}

/** A statement of such a connection. */
export interface CopyStatement {
  /** Whether it gives rows. */
  readonly reader: boolean
  raw(on?: boolean): CopyStatement
  safeIntegers(on?: boolean): CopyStatement
  all(...params: unknown[]): unknown[]
  iterate(...params: unknown[]): IterableIterator<unknown>
  run(...params: unknown[]): unknown
  columns(): readonly { readonly name: string }[]
}

/**
 * Opens a copy for reading in the process that follows it, in any of its threads. It is the SQLite of the follower, and has to be: two of them in one process would not know of each
 * other's locks on the file, and lose them.
 *
 * @throws better-sqlite3's SqliteError
 */
export function openReader(file: string): CopyConnection {
  return new Database(file, { readonly: true, fileMustExist: true }) as unknown as CopyConnection
}
