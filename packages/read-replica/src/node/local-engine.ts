import type { CopyConnection } from '@sqlstream/follower'
import { OpenTransaction, SqlFailure, UsageError } from '../engine/failures.ts'
import type { EngineFailure, EngineReply, EngineRequest, RowSet } from '../engine/messages.ts'
import { LocalConnection } from './local-connection.ts'

/** Rows that one `next` brings, in bytes, about. */
const CHUNK_BYTES = 256 * 1024

const NO_STATS = { hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 }

type AnsweredRequest = Exclude<EngineRequest, { readonly type: 'view' | 'forget' }>

type Answer = Pick<EngineReply, 'sets' | 'isLast'>

const NOTHING: Answer = { sets: [], isLast: true }

/** What runs in the thread that reads the copy. It takes the messages of the engine that reads the backup, and answers as that does. */
export class LocalEngine {
  readonly #open: () => CopyConnection
  readonly #post: (reply: EngineReply) => void
  readonly #connections = new Map<number, LocalConnection>()

  constructor(open: () => CopyConnection, post: (reply: EngineReply) => void) {
    this.#open = open
    this.#post = post
  }

  receive(request: EngineRequest): void {
    if (request.type === 'view' || request.type === 'forget') return
    const head = { type: 'reply', call: request.call, stats: NO_STATS } as const
    try {
      this.#post({ ...head, ...this.#answer(request) })
    } catch (error) {
      this.#post({ ...head, ...NOTHING, error: describe(error) })
    }
  }

  #answer(request: AnsweredRequest): Answer {
    switch (request.type) {
      case 'start':
        return NOTHING
      case 'open':
        this.#connections.set(request.session, this.#connect())
        return NOTHING
      case 'run': {
        const connection = this.#connection(request)
        const sets: RowSet[] = []
        try {
          for (const statement of request.statements) sets.push(connection.run(statement))
        } catch (error) {
          connection.endOpenTransaction()
          throw error
        }
        if (connection.endOpenTransaction()) throw new OpenTransaction()
        return { sets, isLast: true }
      }
      case 'begin': {
        const connection = this.#connection(request)
        connection.cursor?.close()
        connection.cursor = connection.begin(request.statement)
        return NOTHING
      }
      case 'next': {
        const { cursor } = this.#connections.get(request.session) ?? {}
        if (!cursor) return NOTHING
        const { set, isLast } = cursor.next(CHUNK_BYTES)
        return { sets: [set], isLast }
      }
      case 'close':
        this.#connections.get(request.session)?.close()
        this.#connections.delete(request.session)
        return NOTHING
    }
  }

  #connect(): LocalConnection {
    try {
      return new LocalConnection(this.#open())
    } catch (error) {
      const { message, code } = error as { message: string; code?: string }
      throw code === undefined ? error : new SqlFailure(message, code)
    }
  }

  #connection(request: Extract<EngineRequest, { readonly type: 'run' | 'begin' }>): LocalConnection {
    const connection = this.#connections.get(request.session)
    if (!connection) throw new UsageError('it is closed')
    connection.shown = request.shown
    connection.confirmed = request.confirmed
    return connection
  }
}

function describe(error: unknown): EngineFailure {
  const { message, stack = '' } = error as Error
  if (error instanceof SqlFailure) return { kind: 'sql', message, sqliteCode: error.sqliteCode }
  if (error instanceof UsageError) return { kind: 'usage', message }
  if (error instanceof OpenTransaction) return { kind: 'open-transaction' }
  return { kind: 'bug', message: `the thread that reads the copy failed: ${message}`, stack }
}
