import { retryTransient, Slots, withinTime } from '@sqlstream/storage'
import { type CallContext, DRIVER, translateError } from './service-errors.ts'

/** What a request belongs to. */
export interface RequestContext extends CallContext {
  readonly signal?: AbortSignal | undefined
  /** Bytes that it uploads. Default: 0. */
  readonly bytes?: number | undefined
}

/** What `Requests` keeps to; integers from 1. */
export interface RequestLimits {
  /** Requests at once. */
  readonly concurrency: number
  readonly timeoutMs: number
  /** An upload is given a second more for so many bytes. */
  readonly leastBytesPerSecond: number
}

/** Sends requests: so many at once, each with a limit of time, with errors that the contract knows. */
export class Requests {
  readonly #slots: Slots
  readonly #limits: RequestLimits

  /** @throws RangeError when a limit is not an integer from 1 */
  constructor(limits: RequestLimits) {
    for (const [name, value] of Object.entries(limits)) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw new RangeError(`${name} ${value} is not an integer from 1`)
    }
    this.#limits = limits
    this.#slots = new Slots(limits.concurrency)
  }

  /** Longest wait for a part of an answer, milliseconds. */
  get limitMs(): number {
    return this.#limits.timeoutMs
  }

  /** One request. It holds its slot until the answer begins; bodies are the reader's. */
  once<T>(context: RequestContext, call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#slots.run(() => this.#inTime(context, call), { signal: context.signal })
  }

  /** A request that may be sent again. */
  repeated<T>(context: RequestContext, call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    return retryTransient(() => this.once(context, call), { signal: context.signal })
  }

  #inTime<T>(context: RequestContext, call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const { operation, key, signal, bytes = 0 } = context
    const { timeoutMs, leastBytesPerSecond } = this.#limits
    const limitMs = timeoutMs + Math.ceil((bytes / leastBytesPerSecond) * 1000)
    return withinTime(
      { limitMs, signal, fields: { driver: DRIVER, operation, key } },
      async (abortSignal) => {
        try {
          return await call(abortSignal)
        } catch (error) {
          throw translateError(error, { operation, key })
        }
      },
    )
  }
}
