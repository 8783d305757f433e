import type { AbortOptions } from '@sqlstream/replica'
import type { RowSet, RowSets, SqlParams, Statement } from './engine/messages.ts'
import { objectsOf, type Row, rowSetsOf } from './rows.ts'
import type { ReadTx } from './session-client.ts'

/** The ways to read, on top of running statements. */
export abstract class Reads implements ReadTx {
  async all<T = Row>(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<T[]> {
    const [rows] = await this.batch([[sql, params]], options)
    return rows as T[]
  }

  async get<T = Row>(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<T | undefined> {
    const [row] = await this.all<T>(sql, params, options)
    return row
  }

  async table(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<RowSet> {
    const [set] = rowSetsOf(await this.run([{ sql, params }], options))
    return set as RowSet
  }

  async batch(
    list: readonly (readonly [sql: string, params?: SqlParams | undefined])[],
    options: AbortOptions = {},
  ): Promise<Row[][]> {
    const statements = list.map(([sql, params]) => ({ sql, params }))
    return objectsOf(await this.run(statements, options))
  }

  abstract iterate<T = Row>(
    sql: string,
    params?: SqlParams,
    options?: AbortOptions,
  ): AsyncGenerator<T, void, void>

  /** Runs statements at one state. */
  protected abstract run(statements: readonly Statement[], options: AbortOptions): Promise<RowSets>
}
