import { type AbortOptions, abortable, retryTransient } from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'
import { type CallContext, isLost, translateError } from './sftp-errors.ts'
import { BodyFailure } from './write-file.ts'

/** How the calls of a store come to their ends. */
export class Calls {
  readonly #session: Session
  /** Work whose caller was told of an abort already; it still removes what it has written. */
  readonly #aborted = new Set<Promise<unknown>>()

  constructor(session: Session) {
    this.#session = session
  }

  /** Settles like the work, or with an abort at once: a request cannot be called back. Errors become those of a store. */
  async settle<T>(work: Promise<T>, context: CallContext, { signal }: AbortOptions): Promise<T> {
    const translated = translate(work, context)
    try {
      return await abortable(translated, signal)
    } catch (error) {
      if (signal?.aborted === true) {
        const rest: Promise<unknown> = translated.catch(() => {}).finally(() => this.#aborted.delete(rest))
        this.#aborted.add(rest)
      }
      throw error
    }
  }

  /** Calls again on a new connection when the old one has died. */
  retryLost<T>(
    context: CallContext,
    { signal }: AbortOptions,
    call: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    return retryTransient(
      async () => {
        try {
          return await call(await this.#session.connection(signal))
        } catch (error) {
          // Only what is translated here is tried again.
          throw isLost(error) ? translateError(error, context) : error
        }
      },
      { signal },
    )
  }

  /** Waits for aborted calls to remove what they had written. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#aborted)
  }
}

async function translate<T>(work: Promise<T>, context: CallContext): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof BodyFailure ? error.error : translateError(error, context)
  }
}
