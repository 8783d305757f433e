import type { AbortOptions } from '@sqlstream/replica'
import type { EngineReply, RowSet, RowSets, ShownState, SqlParams, Statement } from './engine/messages.ts'
import type { EngineClient } from './engine-client.ts'
import { ReadReplicaError } from './errors.ts'
import { FilesNeeded } from './pages/page-source.ts'
import { objectsOf, type Row } from './rows.ts'

/** Reads of one state. */
export interface ReadTx {
  /** All rows of a statement. Integers beyond 2^53 are bigints, blobs are Uint8Array. */
  all<T = Row>(sql: string, params?: SqlParams, options?: AbortOptions): Promise<T[]>
  /** The first row. */
  get<T = Row>(sql: string, params?: SqlParams, options?: AbortOptions): Promise<T | undefined>
  /** Names and rows as arrays: columns of the same name stay apart. */
  table(sql: string, params?: SqlParams, options?: AbortOptions): Promise<RowSet>
  /** The rows of several statements, in one round trip. */
  batch(
    statements: readonly (readonly [sql: string, params?: SqlParams | undefined])[],
    options?: AbortOptions,
  ): Promise<Row[][]>
  /** Rows one by one, for results that should not be in memory as a whole. */
  iterate<T = Row>(sql: string, params?: SqlParams, options?: AbortOptions): AsyncIterableIterator<T>
}

/** How often files are looked for before a call fails. */
const MOST_ATTEMPTS = 8

/** Finds other files for a state of a session, and tells the thread of SQLite. */
export type FindFiles = (session: number, needed: FilesNeeded, options: AbortOptions) => Promise<void>

/** One session of the engine. */
export class SessionClient {
  readonly number: number
  readonly #client: EngineClient
  readonly #findFiles: FindFiles
  readonly #shown: ShownState | undefined

  /** @param shown the state of a local copy */
  constructor(client: EngineClient, number: number, findFiles: FindFiles, shown?: ShownState) {
    this.#client = client
    this.number = number
    this.#findFiles = findFiles
    this.#shown = shown
  }

  async run(
    statements: readonly Statement[],
    options: AbortOptions,
    confirmed: number | undefined,
  ): Promise<RowSets> {
    const call = { type: 'run', session: this.number, statements, confirmed, shown: this.#shown } as const
    const { sets } = await this.#again(() => this.#client.call(call, options), options)
    return sets
  }

  /** Rows of a statement, some at a time. */
  async *iterate(
    statement: Statement,
    options: AbortOptions,
    confirmed: number | undefined,
  ): AsyncGenerator<Row[], void, void> {
    const { number: session } = this
    const begin = { type: 'begin', session, statement, confirmed, shown: this.#shown } as const
    await this.#again(() => this.#client.call(begin, options), options)
    for (;;) {
      const { sets, isLast } = await this.#next(options)
      yield objectsOf(sets)[0] ?? []
      if (isLast) return
    }
  }

  async #next(options: AbortOptions): Promise<EngineReply> {
    try {
      return await this.#client.call({ type: 'next', session: this.number }, options)
    } catch (error) {
      // Rows have been shown: from the beginning they would come twice.
      throw error instanceof FilesNeeded ? filesGone(error) : error
    }
  }

  /** Makes a call that has shown nothing yet again, when files for its state had to be found. */
  async #again<T>(call: () => Promise<T>, options: AbortOptions): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof FilesNeeded)) throw error
        if (attempt === MOST_ATTEMPTS) throw filesGone(error)
        await this.#findFiles(this.number, error, options)
      }
    }
  }

  async close(): Promise<void> {
    await this.#client.call({ type: 'close', session: this.number })
  }
}

function filesGone({ txid, message }: FilesNeeded): ReadReplicaError {
  return new ReadReplicaError(
    'snapshot-gone',
    `files of the snapshot of TXID ${txid} were removed: ${message}`,
  )
}
