import { formatTXID } from '@sqlstream/ltx'
import type { RangeSource } from '../pages/page-source.ts'
import type { Pager, Pinned } from '../pages/pager.ts'
import { ReadAhead, type ReadAheadOptions, type WantedPage } from '../pages/read-ahead.ts'
import type { Base, View } from '../view/view.ts'
import { decodeUpdate, updatedView, type ViewFile, type ViewUpdate } from '../view/view-update.ts'
import { Connection, type Cursor } from './connection.ts'
import type { Statement } from './messages.ts'
import type { PackedSet, RowPacker } from './packed-rows.ts'
import { SchemaCookie } from './schema-cookie.ts'
import type { SqliteModule } from './sqlite-module.ts'
import type { VirtualFile } from './vfs.ts'

/** Statements that only read: during others SQLite may look whether something is under way. */
const QUERY = /^\s*(?:SELECT|WITH|VALUES)\b/i

/** What a session needs of the engine. */
export interface SessionContext {
  readonly sqlite: SqliteModule
  readonly pager: Pager
  readonly readAhead: ReadAheadOptions
  /** Bytes of pages that SQLite keeps for each connection, so that it need not ask for them. */
  readonly ownCacheBytes: number
  readonly isStopped: () => boolean
  /** Encoded files for a state whose files are gone. */
  readonly replan: RangeSource['replan']
  /** A file that updates bring, and where it is for requests of this thread. */
  readonly know: (file: ViewFile) => void
  /** Snapshots that updates may build on. */
  readonly bases: Map<number, Base>
}

/** A connection and the states that it reads. */
export class Session implements VirtualFile {
  readonly readAhead: ReadAhead
  /** Until when the state is known to be the newest one, ms. */
  confirmed: number | undefined
  cursor: Cursor | undefined
  readonly #number: number
  readonly #context: SessionContext
  readonly #cookie = new SchemaCookie()
  #newest: Pinned
  #pinned: Pinned | undefined
  /** Since the statement began. */
  #hasRead = false
  #connection: Connection | undefined
  #counter = 1
  #lastRead: View['txid'] | undefined
  #failure: unknown

  constructor(number: number, view: View, context: SessionContext) {
    this.#number = number
    this.#context = context
    this.#newest = { view, jumps: 0 }
    this.readAhead = new ReadAhead(context.readAhead)
  }

  /** The connection; opened when it is used first. */
  get connection(): Connection {
    this.#connection ??= this.#connect()
    return this.#connection
  }

  /** Packs all rows of a statement. Throws what the connection throws. */
  run(statement: Statement, packer: RowPacker): PackedSet {
    const isQuery = this.#prepareFor(statement)
    const set = this.connection.run(statement, packer)
    // Whether that succeeds is nobody's concern. Of a statement that has not read the file it would be the first read.
    if (isQuery && this.#hasRead && !this.connection.held.hold()) this.takeFailure()
    return set
  }

  /** Begins a statement; its rows are fetched by `cursor`. */
  begin(statement: Statement): void {
    this.cursor?.close()
    this.cursor = undefined
    this.#prepareFor(statement)
    this.cursor = this.connection.begin(statement)
  }

  get view(): View {
    return this.#newest.view
  }

  get changeCounter(): number {
    // Inside of a transaction the state does not change, and neither does this.
    const { txid } = (this.pinned ?? this.#newest).view
    if (this.#lastRead !== undefined && txid !== this.#lastRead) this.#counter = (this.#counter + 1) >>> 0
    this.#lastRead = txid
    return this.#counter
  }

  schemaCookie(database: number): number {
    return this.#cookie.show(database, (this.pinned ?? this.#newest).jumps)
  }

  get pinned(): Pinned | undefined {
    return this.#pinned
  }

  pin(): void {
    this.#pinned ??= this.#newest
    this.#hasRead = true
  }

  unpin(): void {
    this.#pinned = undefined
  }

  newest(): Pinned {
    return this.#newest
  }

  /** What transactions that begin from now on read. */
  adopt(update: ViewUpdate): void {
    const view = updatedView(update, this.#newest.view, this.#context.bases)
    // Other files for the state that is read already: whoever reads it has them from now on.
    if (view.txid === this.#newest.view.txid) this.#newest.view = view
    else this.#newest = { view, jumps: this.#newest.jumps + (update.from === 'newest' ? 0 : 1) }
    this.seed(update)
  }

  /** Puts the pages that came with files into the cache, as far as they are of the newest state. */
  seed(update: ViewUpdate): void {
    for (const file of update.files) {
      this.#context.know(file)
      const { number, bytes, pgnos, offsets, sizes } = file
      if (!bytes) continue
      const pages: WantedPage[] = []
      for (let i = 0; i < pgnos.length && (offsets[i] as number) < bytes.byteLength; i++) {
        pages.push({ pgno: pgnos[i] as number, offset: offsets[i] as number, size: sizes[i] as number })
      }
      this.#context.pager.seed(this.#newest.view, number, bytes, pages)
    }
  }

  replace(pinned: Pinned, file: number): void {
    const update = decodeUpdate(this.#context.replan(this.#number, pinned.view.txid, file))
    pinned.view = updatedView(update, pinned.view, this.#context.bases)
  }

  /** Nothing is kept of what was read: the next transaction begins anew. */
  letGo(): void {
    this.#connection?.held.letGo()
  }

  failed(error: unknown): void {
    this.#failure = error
  }

  /** What a read has failed with since the last call. */
  takeFailure(): unknown {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }

  close(): void {
    this.cursor?.close()
    this.#connection?.close()
  }

  /** Lets the newest state be read, unless a transaction is under way. Tells whether the statement is a query. */
  #prepareFor({ sql }: Statement): boolean {
    const isQuery = QUERY.test(sql)
    if (!isQuery || this.#pinned !== this.#newest) this.letGo()
    this.#hasRead = false
    return isQuery
  }

  #connect(): Connection {
    const { sqlite, isStopped, ownCacheBytes } = this.#context
    const connection = new Connection(sqlite, fileName(this.#number), isStopped)
    const state = (): View => (this.pinned ?? this.#newest).view
    connection.addFunction('sqlstream_txid', () => formatTXID(state().txid))
    connection.addFunction('sqlstream_time', () => new Date(state().time).toISOString())
    connection.addFunction('sqlstream_lag', () =>
      this.confirmed === undefined ? null : Math.max(0, Date.now() - this.confirmed) / 1000,
    )
    try {
      connection.run({ sql: `PRAGMA cache_size = -${Math.ceil(ownCacheBytes / 1024)}` })
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }
}

/** The name of a session's database for SQLite. */
export function fileName(session: number): string {
  return `session-${session}`
}
