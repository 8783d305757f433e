import type { AbortOptions } from '@sqlstream/replica'
import type { RowSets, Statement } from '../engine/messages.ts'
import type { EngineClient } from '../engine-client.ts'
import { isReadReplicaError, ReadReplicaError } from '../errors.ts'
import type { Row } from '../rows.ts'
import { SessionClient } from '../session-client.ts'
import type { CopyState } from './copy.ts'
import type { Gate } from './gate.ts'

/** The connection of statements that are run as a whole. */
export const MAIN_SESSION = 1

/** SQLite's errors that say that the file cannot be read, whatever the statement. */
const UNREADABLE =
  /^SQLITE_(IOERR|CORRUPT|NOTADB|BUSY|PROTOCOL|READONLY_(ROLLBACK|RECOVERY|CANTLOCK|DBMOVED))/

/** The copy cannot be read; nothing of it has been shown, so that it can be read elsewhere. */
export class CopyUnreadable extends Error {
  override readonly name = 'CopyUnreadable'
}

/** What reading the copy needs. */
export interface LocalContext {
  readonly client: EngineClient
  readonly gate: Gate
  /** Until when the state is known to be the newest, ms. */
  readonly confirmed: () => number | undefined
  /** The number of a session that has not been there yet. */
  readonly nextSession: () => number
  /** The copy cannot be read any more. */
  readonly unreadable: (error: Error) => void
  /** A statement that nobody waits for is still running, until this resolves. */
  readonly abandoned: (until: Promise<unknown>) => void
}

/** Reads of the state that the copy has. It does not change until they are released. */
export class LocalReads {
  readonly state: CopyState
  readonly #context: LocalContext
  #running: Promise<unknown> | undefined

  /** The gate must have let it in. */
  constructor(context: LocalContext, state: CopyState) {
    this.#context = context
    this.state = state
  }

  /** @throws CopyUnreadable */
  async run(statements: readonly Statement[], options: AbortOptions): Promise<RowSets> {
    try {
      return await this.#session(MAIN_SESSION).run(statements, options, this.#context.confirmed())
    } catch (error) {
      throw this.#judge(error, options)
    }
  }

  /** Rows of a statement, some at a time. @throws CopyUnreadable when there was no row yet */
  async *iterate(statement: Statement, options: AbortOptions): AsyncGenerator<Row[], void, void> {
    const { client, confirmed } = this.#context
    const session = this.#session(this.#context.nextSession())
    let hasShown = false
    try {
      await client.call({ type: 'open', session: session.number, at: MAIN_SESSION }, options)
      for await (const rows of session.iterate(statement, options, confirmed())) {
        hasShown = true
        yield rows
      }
    } catch (error) {
      const judged = this.#judge(error, options)
      throw judged instanceof CopyUnreadable && hasShown ? unreadableError(judged) : judged
    } finally {
      // It may be closed, or dead.
      await session.close().catch(() => undefined)
    }
  }

  /** More reads of the same state, to be released by themselves. */
  share(): LocalReads {
    this.#context.gate.join()
    return new LocalReads(this.#context, this.state)
  }

  /** Lets the copy go on, as soon as no statement runs any more. */
  release(): void {
    const { gate } = this.#context
    if (this.#running !== undefined) void this.#running.then(() => gate.leave())
    else gate.leave()
  }

  #session(number: number): SessionClient {
    const { txid, time } = this.state
    return new SessionClient(this.#context.client, number, neverNeeded, { txid, time })
  }

  #judge(error: unknown, { signal }: AbortOptions): unknown {
    const { client, unreadable, abandoned } = this.#context
    if (signal?.aborted) {
      // Calls are answered in their order.
      this.#running = client.call({ type: 'close', session: 0 }).catch(() => undefined)
      abandoned(this.#running)
      return error
    }
    const isUnreadable =
      isReadReplicaError(error, 'engine') ||
      (isReadReplicaError(error, 'sql') && UNREADABLE.test(error.sqliteCode ?? ''))
    if (!isUnreadable) return error
    unreadable(error)
    return new CopyUnreadable(error.message, { cause: error })
  }
}

/** The error of reads that cannot be made elsewhere. */
export function unreadableError({ cause }: CopyUnreadable): ReadReplicaError {
  return new ReadReplicaError('engine', 'the local copy cannot be read any more', { cause })
}

async function neverNeeded(): Promise<void> {
  throw new TypeError('a copy has all its pages')
}
