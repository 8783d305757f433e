import { SqlFailure, UsageError } from './failures.ts'
import { Heap } from './heap.ts'
import { HeldTransaction } from './held-transaction.ts'
import type { SqlParams, Statement } from './messages.ts'
import { type PackedSet, RowPacker } from './packed-rows.ts'
import { type Pointer, SQLITE, type SqliteExports, type SqliteModule } from './sqlite-module.ts'
import { VFS_NAME } from './vfs.ts'

/** Prepared statements that are kept. */
const MOST_STATEMENTS = 64
/** How often SQLite asks whether to go on, in steps of its virtual machine: about every millisecond. */
const PROGRESS_STEPS = 20_000

/** A statement that has begun. */
export interface Cursor {
  /** Packs the next rows, until there are about as many bytes as given; `isLast` when there are no more. */
  next(packer: RowPacker, bytes: number): { readonly set: PackedSet; readonly isLast: boolean }
  close(): void
}

/** One connection of SQLite. */
export class Connection {
  readonly held: HeldTransaction
  readonly #sqlite: SqliteModule
  readonly #c: SqliteExports
  readonly #heap: Heap
  readonly #db: Pointer
  readonly #statements = new Map<string, Pointer>()
  readonly #names = new Map<Pointer, { readonly compiled: number; readonly columns: readonly string[] }>()
  readonly #encoder = new TextEncoder()

  /** @param isStopped asked now and then while a statement runs: true ends it with SQLITE_INTERRUPT */
  constructor(sqlite: SqliteModule, name: string, isStopped: () => boolean) {
    this.#sqlite = sqlite
    // Both are looked up for every value otherwise.
    this.#c = sqlite.wasm.exports
    this.#heap = new Heap(sqlite.wasm)
    const { capi, wasm } = sqlite
    const stack = wasm.pstack.pointer
    const file = wasm.allocCString(name)
    const vfs = wasm.allocCString(VFS_NAME)
    try {
      const ppDb = wasm.pstack.alloc(8)
      const code = this.#c.sqlite3_open_v2(file, ppDb, SQLITE.OPEN_READONLY, vfs)
      this.#db = wasm.peekPtr(ppDb)
      if (code !== SQLITE.OK) throw this.#failure(code)
    } finally {
      wasm.dealloc(file)
      wasm.dealloc(vfs)
      wasm.pstack.restore(stack)
    }
    this.held = new HeldTransaction(this.#c, this.#db, (sql) => this.#prepare(sql))
    this.#c.sqlite3_extended_result_codes(this.#db, 1)
    capi.sqlite3_progress_handler(this.#db, PROGRESS_STEPS, () => (isStopped() ? 1 : 0), 0)
  }

  /** Adds a function without arguments whose value may be another one each time. */
  addFunction(name: string, value: () => string | number | null): void {
    const flags = SQLITE.UTF8 | SQLITE.INNOCUOUS
    this.#sqlite.capi.sqlite3_create_function(this.#db, name, 0, flags, 0, value, 0, 0)
  }

  /** Packs all rows of a statement. Throws SqlFailure, UsageError. */
  run(statement: Statement, packer: RowPacker = new RowPacker()): PackedSet {
    const cursor = this.begin(statement)
    try {
      return cursor.next(packer, Number.POSITIVE_INFINITY).set
    } finally {
      cursor.close()
    }
  }

  /** Begins a statement. Throws SqlFailure, UsageError. */
  begin({ sql, params }: Statement): Cursor {
    const stmt = this.#take(sql)
    const close = (): void => this.#giveBack(sql, stmt)
    try {
      this.#bind(stmt, params ?? [])
      // The first step may compile the statement anew, for a schema that has changed: only then its columns are known.
      let code = this.#step(stmt)
      const columns = this.#columns(stmt)
      const next: Cursor['next'] = (packer, bytes) => {
        let rows = 0
        for (; code === SQLITE.ROW && packer.byteLength < bytes; code = this.#step(stmt)) {
          for (let i = 0; i < columns.length; i++) this.#pack(packer, stmt, i)
          rows++
        }
        return { set: { columns, rows }, isLast: code === SQLITE.DONE }
      }
      return { next, close }
    } catch (error) {
      close()
      throw error
    }
  }

  /** Whether a statement has begun a transaction that it did not end; ends it. */
  endOpenTransaction(): boolean {
    if (this.#c.sqlite3_get_autocommit(this.#db) !== 0) return false
    this.run({ sql: 'ROLLBACK' })
    return true
  }

  close(): void {
    this.held.close()
    for (const stmt of this.#statements.values()) this.#c.sqlite3_finalize(stmt)
    this.#statements.clear()
    this.#c.sqlite3_close_v2(this.#db)
  }

  #take(sql: string): Pointer {
    const known = this.#statements.get(sql)
    if (known !== undefined) {
      this.#statements.delete(sql)
      return known
    }
    return this.#prepare(sql)
  }

  #giveBack(sql: string, stmt: Pointer): void {
    this.#c.sqlite3_reset(stmt)
    this.#c.sqlite3_clear_bindings(stmt)
    if (this.#statements.has(sql)) {
      this.#finalize(stmt)
      return
    }
    this.#statements.set(sql, stmt)
    if (this.#statements.size <= MOST_STATEMENTS) return
    const [oldest] = this.#statements
    if (!oldest) return
    this.#finalize(oldest[1])
    this.#statements.delete(oldest[0])
  }

  /** Another statement may get the same address. */
  #finalize(stmt: Pointer): void {
    this.#names.delete(stmt)
    this.#c.sqlite3_finalize(stmt)
  }

  #prepare(sql: string): Pointer {
    const { wasm } = this.#sqlite
    const stack = wasm.pstack.pointer
    const text = wasm.allocCString(sql)
    try {
      const out = wasm.pstack.alloc(16)
      const stmt = this.#prepareAt(text, out)
      if (stmt === 0) throw new UsageError('there is no statement in the text')
      const tail = wasm.peekPtr(out + 8)
      let more: Pointer
      try {
        more = this.#prepareAt(tail, out)
      } catch (error) {
        this.#c.sqlite3_finalize(stmt)
        throw error
      }
      if (more === 0) return stmt
      this.#c.sqlite3_finalize(more)
      this.#c.sqlite3_finalize(stmt)
      throw new UsageError('there is more than one statement in the text: give them one by one')
    } finally {
      wasm.dealloc(text)
      wasm.pstack.restore(stack)
    }
  }

  #prepareAt(text: Pointer, out: Pointer): Pointer {
    const code = this.#c.sqlite3_prepare_v3(this.#db, text, -1, SQLITE.PREPARE_PERSISTENT, out, out + 8)
    if (code !== SQLITE.OK) throw this.#failure(code)
    return this.#sqlite.wasm.peekPtr(out)
  }

  /** The names of the columns, which stay the same until SQLite compiles the statement anew. */
  #columns(stmt: Pointer): readonly string[] {
    const compiled = this.#c.sqlite3_stmt_status(stmt, SQLITE.STMTSTATUS_REPREPARE, 0)
    const known = this.#names.get(stmt)
    if (known?.compiled === compiled) return known.columns
    const count = this.#c.sqlite3_column_count(stmt)
    const { wasm } = this.#sqlite
    const columns = Array.from(
      { length: count },
      (_, i) => wasm.cstrToJs(this.#c.sqlite3_column_name(stmt, i)) ?? '',
    )
    this.#names.set(stmt, { compiled, columns })
    return columns
  }

  #step(stmt: Pointer): number {
    const code = this.#c.sqlite3_step(stmt)
    if (code !== SQLITE.DONE && code !== SQLITE.ROW) throw this.#failure(code)
    return code
  }

  #pack(packer: RowPacker, stmt: Pointer, column: number): void {
    const c = this.#c
    switch (c.sqlite3_column_type(stmt, column)) {
      case SQLITE.INTEGER: {
        const number = c.sqlite3_column_double(stmt, column)
        if (Number.isSafeInteger(number)) packer.number(number)
        else packer.bigint(c.sqlite3_column_int64(stmt, column))
        return
      }
      case SQLITE.FLOAT:
        packer.number(c.sqlite3_column_double(stmt, column))
        return
      case SQLITE.TEXT: {
        const at = c.sqlite3_column_text(stmt, column)
        packer.text(this.#heap.bytes, at, c.sqlite3_column_bytes(stmt, column))
        return
      }
      case SQLITE.BLOB: {
        const at = c.sqlite3_column_blob(stmt, column)
        packer.blob(this.#heap.bytes, at, c.sqlite3_column_bytes(stmt, column))
        return
      }
      default:
        packer.null()
    }
  }

  #bind(stmt: Pointer, params: SqlParams): void {
    const c = this.#c
    const count = c.sqlite3_bind_parameter_count(stmt)
    if (Array.isArray(params)) {
      if (params.length !== count) throw new UsageError(`${params.length} values for ${count} parameters`)
      for (let i = 0; i < count; i++) this.#bindOne(stmt, i + 1, params[i])
      return
    }
    const named = new Map(Object.entries(params))
    for (let i = 1; i <= count; i++) {
      const name = this.#sqlite.wasm.cstrToJs(c.sqlite3_bind_parameter_name(stmt, i) || 0)
      if (!name) throw new UsageError(`parameter ${i} has no name`)
      const key = named.has(name) ? name : name.slice(1)
      if (!named.has(key)) throw new UsageError(`there is no value for parameter ${name}`)
      this.#bindOne(stmt, i, named.get(key))
    }
  }

  #bindOne(stmt: Pointer, index: number, value: unknown): void {
    const c = this.#c
    let code: number
    if (value === null || value === undefined) code = c.sqlite3_bind_null(stmt, index)
    else if (typeof value === 'boolean') code = c.sqlite3_bind_int64(stmt, index, value ? 1n : 0n)
    else if (typeof value === 'bigint') {
      if (BigInt.asIntN(64, value) !== value) throw new UsageError(`${value} does not fit 64 bits`)
      code = c.sqlite3_bind_int64(stmt, index, value)
    } else if (typeof value === 'number') {
      code = Number.isSafeInteger(value)
        ? c.sqlite3_bind_int64(stmt, index, BigInt(value))
        : c.sqlite3_bind_double(stmt, index, value)
    } else if (typeof value === 'string')
      code = this.#bindBytes(stmt, index, this.#encoder.encode(value), true)
    else if (value instanceof Uint8Array) code = this.#bindBytes(stmt, index, value, false)
    else throw new UsageError(`a value of type ${typeof value} cannot be bound`)
    if (code !== SQLITE.OK) throw this.#failure(code)
  }

  #bindBytes(stmt: Pointer, index: number, bytes: Uint8Array, isText: boolean): number {
    const { wasm } = this.#sqlite
    if (bytes.byteLength === 0 && !isText) return this.#c.sqlite3_bind_zeroblob(stmt, index, 0)
    const at = wasm.alloc(bytes.byteLength + 1)
    try {
      wasm.heap8u().set(bytes, at)
      const bind = isText ? this.#c.sqlite3_bind_text : this.#c.sqlite3_bind_blob
      return bind(stmt, index, at, bytes.byteLength, SQLITE.TRANSIENT)
    } finally {
      wasm.dealloc(at)
    }
  }

  #failure(code: number): SqlFailure {
    const message = this.#sqlite.wasm.cstrToJs(this.#c.sqlite3_errmsg(this.#db)) ?? 'unknown error'
    return new SqlFailure(message, this.#sqlite.capi.sqlite3_js_rc_str(code) ?? `SQLITE_${code}`)
  }
}
