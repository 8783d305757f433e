import init from '@sqlite.org/sqlite-wasm'

/** An address in the memory of SQLite. */
export type Pointer = number

/** A C structure, as the module binds it: those members that we use, of any of them. */
export interface Struct {
  readonly pointer: Pointer
  $iVersion: number
  $szOsFile: number
  $mxPathname: number
  $xRandomness: Pointer
  $xSleep: Pointer
  $xCurrentTime: Pointer
  $pMethods: Pointer
  dispose(): void
}

interface StructType {
  new (pointer?: Pointer): Struct
  readonly structInfo: { readonly sizeof: number }
}

type Methods = Readonly<Record<string, (...args: never[]) => number | undefined>>

/** The functions of SQLite's C interface that we call, without conversions. */
export interface SqliteExports {
  sqlite3_open_v2(name: Pointer, ppDb: Pointer, flags: number, vfs: Pointer): number
  sqlite3_close_v2(db: Pointer): number
  sqlite3_extended_result_codes(db: Pointer, on: number): number
  sqlite3_get_autocommit(db: Pointer): number
  sqlite3_errmsg(db: Pointer): Pointer
  sqlite3_prepare_v3(
    db: Pointer,
    sql: Pointer,
    bytes: number,
    flags: number,
    ppStmt: Pointer,
    pzTail: Pointer,
  ): number
  sqlite3_step(stmt: Pointer): number
  sqlite3_reset(stmt: Pointer): number
  sqlite3_clear_bindings(stmt: Pointer): number
  sqlite3_finalize(stmt: Pointer): number
  sqlite3_bind_parameter_count(stmt: Pointer): number
  sqlite3_bind_parameter_name(stmt: Pointer, index: number): Pointer
  sqlite3_bind_null(stmt: Pointer, index: number): number
  sqlite3_bind_double(stmt: Pointer, index: number, value: number): number
  sqlite3_bind_int64(stmt: Pointer, index: number, value: bigint): number
  sqlite3_bind_text(stmt: Pointer, index: number, text: Pointer, bytes: number, destructor: number): number
  sqlite3_bind_blob(stmt: Pointer, index: number, data: Pointer, bytes: number, destructor: number): number
  sqlite3_bind_zeroblob(stmt: Pointer, index: number, bytes: number): number
  sqlite3_stmt_status(stmt: Pointer, what: number, reset: number): number
  sqlite3_column_count(stmt: Pointer): number
  sqlite3_column_name(stmt: Pointer, column: number): Pointer
  sqlite3_column_type(stmt: Pointer, column: number): number
  sqlite3_column_double(stmt: Pointer, column: number): number
  sqlite3_column_int64(stmt: Pointer, column: number): bigint
  sqlite3_column_text(stmt: Pointer, column: number): Pointer
  sqlite3_column_blob(stmt: Pointer, column: number): Pointer
  sqlite3_column_bytes(stmt: Pointer, column: number): number
}

/** What of the module we use. */
export interface SqliteModule {
  readonly capi: {
    readonly sqlite3_vfs: StructType
    readonly sqlite3_io_methods: StructType
    readonly sqlite3_file: StructType
    sqlite3_vfs_find(name: string | null): Pointer
    sqlite3_js_rc_str(code: number): string | undefined
    sqlite3_progress_handler(
      db: Pointer,
      operations: number,
      callback: (argument: Pointer) => number,
      argument: Pointer,
    ): void
    sqlite3_create_function(
      db: Pointer,
      name: string,
      arguments_: number,
      encoding: number,
      app: Pointer,
      xFunc: (context: Pointer, ...values: unknown[]) => unknown,
      xStep: Pointer,
      xFinal: Pointer,
    ): number
  }
  readonly vfs: {
    installVfs(options: {
      readonly io: { readonly struct: Struct; readonly methods: Methods }
      readonly vfs: { readonly struct: Struct; readonly methods: Methods; readonly name: string }
    }): unknown
  }
  readonly wasm: {
    readonly exports: SqliteExports
    readonly pstack: {
      readonly pointer: Pointer
      alloc(bytes: number): Pointer
      restore(pointer: Pointer): void
    }
    heap8u(): Uint8Array
    peekPtr(pointer: Pointer): Pointer
    poke32(pointer: Pointer, value: number): unknown
    poke64(pointer: Pointer, value: bigint): unknown
    poke(pointer: Pointer, value: number, type: string): unknown
    alloc(bytes: number): Pointer
    dealloc(pointer: Pointer): void
    allocCString(text: string): Pointer
    cstrToJs(pointer: Pointer): string | null
  }
}

const nothing = (): void => {}

/** What of the module we have no use for: it would start workers and ask for files. */
const DISABLED = {
  vfs: { kvvfs: true, opfs: true, 'opfs-vfs': true, 'opfs-sahpool': true, 'opfs-wl': true },
}

/** Where SQLite comes from. By default its script looks for `sqlite3.wasm` beside itself and compiles it. */
export interface SqliteOrigin {
  /** Where `sqlite3.wasm` is. */
  readonly wasmUrl?: string | undefined
  /** `sqlite3.wasm`, compiled already. What V8 has learned of it serves each thread that is given the same one. */
  readonly wasmModule?: WebAssembly.Module | undefined
}

/** Loads SQLite. It prints nothing: what fails is told to who asked. */
export async function loadSqlite({ wasmUrl, wasmModule }: SqliteOrigin): Promise<SqliteModule> {
  Reflect.set(globalThis, 'sqlite3ApiConfig', {
    disable: DISABLED,
    debug: nothing,
    log: nothing,
    warn: nothing,
    error: nothing,
  })
  const start = init as unknown as (options: unknown) => Promise<unknown>
  return (await start({
    print: nothing,
    printErr: nothing,
    ...(wasmUrl !== undefined && { locateFile: () => wasmUrl }),
    ...(wasmModule && {
      instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
        // What this throws rejects the loading; that of an asynchronous instantiation would be lost.
        done(new WebAssembly.Instance(wasmModule, imports))
        return {}
      },
    }),
  })) as SqliteModule
}

/** SQLite's result codes and flags that we use, as its documentation numbers them. */
export const SQLITE = {
  OK: 0,
  ERROR: 1,
  READONLY: 8,
  INTERRUPT: 9,
  IOERR: 10,
  NOTFOUND: 12,
  CANTOPEN: 14,
  ROW: 100,
  DONE: 101,
  IOERR_READ: 266,
  IOERR_SHORT_READ: 522,
  OPEN_READONLY: 1,
  PREPARE_PERSISTENT: 1,
  LOCK_NONE: 0,
  LOCK_SHARED: 1,
  UTF8: 1,
  INNOCUOUS: 0x20_0000,
  TRANSIENT: -1,
  STMTSTATUS_REPREPARE: 5,
  INTEGER: 1,
  FLOAT: 2,
  TEXT: 3,
  BLOB: 4,
  NULL: 5,
} as const
