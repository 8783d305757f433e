import { SlotReader, type SlotRequest } from '../bridge/shared-slots.ts'
import { XhrSource } from '../bridge/xhr-source.ts'
import { PageCache } from '../pages/page-cache.ts'
import { DamagedFile, FetchFailed, FileGone, FilesNeeded, StoreFailed } from '../pages/page-source.ts'
import { Pager } from '../pages/pager.ts'
import type { Base } from '../view/view.ts'
import { updatedView, type ViewUpdate } from '../view/view-update.ts'
import { OpenTransaction, SqlFailure, UsageError } from './failures.ts'
import type { EngineFailure, EngineOptions, EngineReply, EngineRequest, EngineStats } from './messages.ts'
import { buffersOf, type PackedSet, type PackedSets, RowPacker } from './packed-rows.ts'
import { fileName, Session, type SessionContext } from './session.ts'
import { loadSqlite } from './sqlite-module.ts'
import { installVfs } from './vfs.ts'

/** Rows that one `next` brings, in bytes, about. */
const CHUNK_BYTES = 256 * 1024

/** Bytes of pages that SQLite keeps for each connection: half as many as are kept for all, within these. */
const LEAST_OWN_BYTES = 64 * 1024
const MOST_OWN_BYTES = 16 * 1024 * 1024

/** Where the engine sends its answers and its questions. */
export type Post = (message: EngineReply | SlotRequest, transfer: ArrayBuffer[]) => void

interface Answer {
  readonly sets: PackedSets
  readonly isLast: boolean
}

const NOTHING: Answer = { sets: { sets: [], chunks: [] }, isLast: true }

/** What runs in the thread of SQLite: takes messages one after the other. Pass each one to `receive`, and wait for none. */
export class Engine {
  readonly #post: Post
  readonly #sessions = new Map<number, Session>()
  /** Snapshots that updates may build on. */
  readonly #bases = new Map<number, Base>()
  readonly #broken = new Map<number, unknown>()
  #working: Promise<void> = Promise.resolve()
  #context: SessionContext | undefined
  #stats: () => EngineStats = () => ({ hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 })
  #call = 0

  constructor(post: Post) {
    this.#post = post
  }

  receive(request: EngineRequest): void {
    // Only the start takes turns; what comes after it must wait for it.
    this.#working = this.#working.then(() => this.#handle(request))
  }

  async #handle(request: EngineRequest): Promise<void> {
    if (request.type === 'view') {
      this.#adopt(request.session, request.update)
      return
    }
    if (request.type === 'forget') {
      this.#bases.delete(request.base)
      return
    }
    this.#call = request.call
    const head = { type: 'reply', call: request.call } as const
    let answer: Answer = NOTHING
    let error: EngineFailure | undefined
    try {
      answer = await this.#answer(request)
    } catch (thrown) {
      const session = 'session' in request ? this.#sessions.get(request.session) : undefined
      session?.letGo()
      error = describe(session?.takeFailure() ?? thrown)
    }
    this.#post({ ...head, ...answer, ...(error && { error }), stats: this.#stats() }, buffersOf(answer.sets))
  }

  async #answer(request: Exclude<EngineRequest, { type: 'view' | 'forget' }>): Promise<Answer> {
    switch (request.type) {
      case 'start':
        await this.#start(request.options)
        return NOTHING
      case 'open': {
        const { session, at } = request
        const like = typeof at === 'number' ? this.#session(at).view : undefined
        const view = like ?? updatedView(at as Exclude<typeof at, number>, undefined, this.#bases)
        const opened = new Session(session, view, this.#context as SessionContext)
        this.#sessions.set(session, opened)
        if (typeof at !== 'number') opened.seed(at)
        return NOTHING
      }
      case 'run': {
        const session = this.#session(request.session)
        session.confirmed = request.confirmed
        const sets: PackedSet[] = []
        const packer = new RowPacker()
        try {
          for (const statement of request.statements) sets.push(session.run(statement, packer))
        } catch (error) {
          session.connection.endOpenTransaction()
          throw error
        }
        if (session.connection.endOpenTransaction()) throw new OpenTransaction()
        return { sets: { sets, chunks: packer.end() }, isLast: true }
      }
      case 'begin': {
        const session = this.#session(request.session)
        session.confirmed = request.confirmed
        session.begin(request.statement)
        return NOTHING
      }
      case 'next': {
        const { cursor } = this.#session(request.session)
        if (!cursor) return NOTHING
        const packer = new RowPacker()
        const { set, isLast } = cursor.next(packer, CHUNK_BYTES)
        return { sets: { sets: [set], chunks: packer.end() }, isLast }
      }
      case 'close':
        this.#sessions.get(request.session)?.close()
        this.#sessions.delete(request.session)
        return NOTHING
    }
  }

  async #start({ cacheBytes, readAhead, shared, ...origin }: EngineOptions): Promise<void> {
    const sqlite = await loadSqlite(origin)
    const slots = shared && new SlotReader(shared, (request) => this.#post(request, []))
    const xhr = new XhrSource()
    const source = slots ?? xhr
    const cache = new PageCache(cacheBytes)
    const pager = new Pager(cache, source, readAhead)
    this.#context = {
      sqlite,
      pager,
      readAhead,
      ownCacheBytes: Math.min(MOST_OWN_BYTES, Math.max(LEAST_OWN_BYTES, cacheBytes / 2)),
      // Without shared memory nobody can tell while SQLite runs.
      isStopped: () => slots?.isStopped(this.#call) ?? false,
      replan: (session, txid, file) => source.replan(session, txid, file),
      know: ({ number, address }) => {
        if (address) xhr.know(number, address)
      },
      bases: this.#bases,
    }
    this.#stats = () => ({ ...pager.stats, cachedBytes: cache.byteLength })
    installVfs(
      sqlite,
      pager,
      (name) => [...this.#sessions].find(([number]) => fileName(number) === name)?.[1],
    )
  }

  /** A state that cannot be taken over must not leave an older one in its place: every later call of the session fails. */
  #adopt(number: number, update: ViewUpdate): void {
    try {
      this.#sessions.get(number)?.adopt(update)
    } catch (error) {
      this.#broken.set(number, error)
    }
  }

  #session(number: number): Session {
    if (this.#broken.has(number)) throw this.#broken.get(number)
    const session = this.#sessions.get(number)
    if (!session) throw new UsageError('it is closed')
    return session
  }
}

function describe(error: unknown): EngineFailure {
  if (error instanceof FetchFailed) return { kind: 'fetch', failure: error.failure }
  if (error instanceof FileGone) return { kind: 'gone' }
  if (error instanceof FilesNeeded) return { kind: 'replan', txid: error.txid, file: error.file }
  if (error instanceof StoreFailed) return { kind: 'store', message: error.message, file: error.file }
  if (error instanceof SqlFailure)
    return { kind: 'sql', message: error.message, sqliteCode: error.sqliteCode }
  if (error instanceof UsageError) return { kind: 'usage', message: error.message }
  if (error instanceof OpenTransaction) return { kind: 'open-transaction' }
  if (error instanceof DamagedFile) return { kind: 'corrupt', message: error.message, file: error.file }
  const { message, stack = '' } = error as Error
  return { kind: 'bug', message: `SQLite's thread failed: ${message}`, stack }
}
