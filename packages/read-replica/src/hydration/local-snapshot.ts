import type { AbortOptions } from '@sqlstream/replica'
import type { RowSets, SqlParams, Statement } from '../engine/messages.ts'
import { closedError } from '../errors.ts'
import type { Position } from '../options.ts'
import { Reads } from '../reads.ts'
import type { Row } from '../rows.ts'
import { CopyUnreadable, type LocalReads, unreadableError } from './local-reads.ts'

/** Several reads of one state of the copy, with whatever in between. The copy stays as it is until `end`. */
export class LocalSnapshot extends Reads {
  readonly #reads: LocalReads
  readonly #mustBeOpen: () => void
  #hasEnded = false

  /** @param mustBeOpen throws when the replica is closed */
  constructor(reads: LocalReads, mustBeOpen: () => void) {
    super()
    this.#reads = reads
    this.#mustBeOpen = mustBeOpen
  }

  get position(): Position {
    const { txid, time } = this.#reads.state
    return { txid, time: new Date(time) }
  }

  async *iterate<T = Row>(
    sql: string,
    params?: SqlParams,
    options: AbortOptions = {},
  ): AsyncGenerator<T, void, void> {
    this.#check(options)
    const reads = this.#reads.share()
    try {
      for await (const rows of reads.iterate({ sql, params }, options)) yield* rows as T[]
    } catch (error) {
      throw told(error)
    } finally {
      reads.release()
    }
  }

  end(): void {
    this.#hasEnded = true
    this.#reads.release()
  }

  protected async run(statements: readonly Statement[], options: AbortOptions): Promise<RowSets> {
    this.#check(options)
    const reads = this.#reads.share()
    try {
      return await reads.run(statements, options)
    } catch (error) {
      throw told(error)
    } finally {
      reads.release()
    }
  }

  #check({ signal }: AbortOptions): void {
    this.#mustBeOpen()
    if (this.#hasEnded) throw closedError()
    signal?.throwIfAborted()
  }
}

/** What was read before is of this state, and the next must be: there is no other place. */
function told(error: unknown): unknown {
  return error instanceof CopyUnreadable ? unreadableError(error) : error
}
