import type { CopyConnection, CopyStatement } from '@sqlstream/follower'
import { formatTXID } from '@sqlstream/ltx'
import { SqlFailure, UsageError } from '../engine/failures.ts'
import type { RowSet, ShownState, SqlValue, Statement } from '../engine/messages.ts'
import { type BoundValues, bindValues } from './bind-values.ts'
import { readSql, type SqlText } from './sql-text.ts'

/** Prepared statements that are kept. */
const MOST_STATEMENTS = 64

interface Prepared extends SqlText {
  readonly statement: CopyStatement
}

/** A statement of the copy that has begun. */
export interface LocalCursor {
  /** The next rows, about as many bytes as given; `isLast` when there are no more. */
  next(bytes: number): { readonly set: RowSet; readonly isLast: boolean }
  close(): void
}

/** A connection to the copy that does what one to the backup does. */
export class LocalConnection {
  /** What the copy holds, and until when that is known to be the newest, ms. */
  shown: ShownState | undefined
  confirmed: number | undefined
  cursor: LocalCursor | undefined
  readonly #db: CopyConnection
  readonly #statements = new Map<string, Prepared>()

  constructor(db: CopyConnection) {
    this.#db = db
    db.pragma('temp_store = MEMORY')
    const state = (): ShownState => this.shown as ShownState
    db.function('sqlstream_txid', {}, () => formatTXID(state().txid))
    db.function('sqlstream_time', {}, () => new Date(state().time).toISOString())
    db.function('sqlstream_lag', {}, () =>
      this.confirmed === undefined ? null : Math.max(0, Date.now() - this.confirmed) / 1000,
    )
  }

  /** All rows of a statement. Throws SqlFailure, UsageError. */
  run({ sql, params }: Statement): RowSet {
    const prepared = this.#take(sql)
    try {
      const { statement, verb } = prepared
      const values = bindValues(prepared.parameters, params ?? [])
      refuseFiles(verb, sql)
      try {
        return rowsOf(statement, values)
      } finally {
        if (verb === 'PRAGMA') this.#undoPragmas()
      }
    } catch (error) {
      throw failureOf(error)
    } finally {
      this.#keep(sql, prepared)
    }
  }

  /** Begins a statement; the connection can do nothing else until it is closed. */
  begin({ sql, params }: Statement): LocalCursor {
    const { statement, parameters, verb } = this.#prepare(sql)
    try {
      const values = bindValues(parameters, params ?? [])
      refuseFiles(verb, sql)
      if (!statement.reader) {
        statement.run(...values)
        return { next: () => ({ set: { columns: [], rows: [] }, isLast: true }), close: () => undefined }
      }
      return cursorOf(statement, values)
    } catch (error) {
      throw failureOf(error)
    }
  }

  /** Whether a statement has begun a transaction that it did not end; ends it. */
  endOpenTransaction(): boolean {
    if (!this.#db.inTransaction) return false
    this.#db.exec('ROLLBACK')
    return true
  }

  close(): void {
    this.cursor?.close()
    this.#db.close()
  }

  #take(sql: string): Prepared {
    const known = this.#statements.get(sql)
    this.#statements.delete(sql)
    return known ?? this.#prepare(sql)
  }

  #keep(sql: string, prepared: Prepared): void {
    this.#statements.set(sql, prepared)
    const [oldest] = this.#statements.keys()
    if (this.#statements.size > MOST_STATEMENTS) this.#statements.delete(oldest as string)
  }

  #prepare(sql: string): Prepared {
    const text = readSql(sql)
    if (text.verb === '') throw new UsageError('there is no statement in the text')
    try {
      const statement = this.#db.prepare(sql)
      if (statement.reader) statement.raw().safeIntegers()
      return { ...text, statement }
    } catch (error) {
      throw failureOf(error)
    }
  }

  /** A connection that keeps its lock would keep the copy from going on, and memory that is mapped is not read under locks. */
  #undoPragmas(): void {
    this.#db.pragma('locking_mode = NORMAL')
    this.#db.pragma('mmap_size = 0')
    this.#db.prepare('SELECT 1 FROM sqlite_schema').raw().all()
  }
}

/** A statement must not reach other files, as it cannot where there are none. */
function refuseFiles(verb: string, sql: string): void {
  if (verb === 'ATTACH') throw new SqlFailure(`unable to open database: ${sql}`, 'SQLITE_CANTOPEN')
  if (verb === 'VACUUM') throw new SqlFailure('attempt to write a readonly database', 'SQLITE_READONLY')
}

function rowsOf(statement: CopyStatement, values: BoundValues): RowSet {
  if (!statement.reader) {
    statement.run(...values)
    return { columns: [], rows: [] }
  }
  const rows = statement.all(...values) as unknown[][]
  // Only now: the first step may compile the statement anew, for a schema that has changed.
  return { columns: statement.columns().map(({ name }) => name), rows: rows.map(plainRow) }
}

function cursorOf(statement: CopyStatement, values: BoundValues): LocalCursor {
  const rows = statement.iterate(...values) as IterableIterator<unknown[]>
  let row = rows.next()
  const columns = statement.columns().map(({ name }) => name)
  return {
    next(bytes) {
      const set: SqlValue[][] = []
      try {
        for (let size = 0; !row.done && size < bytes; row = rows.next()) {
          const values = plainRow(row.value)
          set.push(values)
          size += sizeOf(values)
        }
      } catch (error) {
        throw failureOf(error)
      }
      return { set: { columns, rows: set }, isLast: row.done === true }
    },
    close: () => void rows.return?.(),
  }
}

function plainRow(row: unknown[]): SqlValue[] {
  return row.map((value) => {
    if (typeof value === 'bigint') {
      const number = Number(value)
      return Number.isSafeInteger(number) ? number : value
    }
    return value instanceof Uint8Array ? new Uint8Array(value) : (value as SqlValue)
  })
}

/** Bytes that a row takes, about. */
function sizeOf(row: readonly SqlValue[]): number {
  let size = 16
  for (const value of row) {
    size += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 8
  }
  return size
}

/** better-sqlite3's errors as ours. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code } = error as { code?: unknown }
  if (error.name === 'SqliteError' && typeof code === 'string') return new SqlFailure(error.message, code)
  if (error instanceof RangeError && /more than one statement/.test(error.message)) {
    return new UsageError('there is more than one statement in the text: give them one by one')
  }
  if (error instanceof RangeError && /contains no statements/.test(error.message)) {
    return new UsageError('there is no statement in the text')
  }
  return error instanceof RangeError || error instanceof TypeError ? new UsageError(error.message) : error
}
