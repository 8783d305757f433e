import type { AbortOptions } from '@sqlstream/replica'
import type { RowSet, SqlParams, Statement } from './engine/messages.ts'
import type { EngineClient } from './engine-client.ts'
import { type Row, rowsOf } from './rows.ts'

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

/** One session of the engine. */
export class SessionClient {
  readonly number: number
  readonly #client: EngineClient

  constructor(client: EngineClient, number: number) {
    this.#client = client
    this.number = number
  }

  async run(
    statements: readonly Statement[],
    options: AbortOptions,
    confirmed: number | undefined,
  ): Promise<readonly RowSet[]> {
    const { sets } = await this.#client.call(
      { type: 'run', session: this.number, statements, confirmed },
      options,
    )
    return sets
  }

  /** Rows of a statement, some at a time. */
  async *iterate(
    statement: Statement,
    options: AbortOptions,
    confirmed: number | undefined,
  ): AsyncGenerator<Row[], void, void> {
    const { number: session } = this
    await this.#client.call({ type: 'begin', session, statement, confirmed }, options)
    for (;;) {
      const { sets, isLast } = await this.#client.call({ type: 'next', session }, options)
      yield sets[0] ? rowsOf(sets[0]) : []
      if (isLast) return
    }
  }

  async close(): Promise<void> {
    await this.#client.call({ type: 'close', session: this.number })
  }
}
