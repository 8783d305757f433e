import type { CallName, Calls } from './messages.ts'

/** A call that waits for its answer. */
export interface PendingCall {
  readonly id: number
  readonly name: CallName
  readonly arguments: unknown
  resolve(value: unknown): void
  reject(error: unknown): void
}

/**
 * Calls that wait for an answer. They outlive the engine: the next one is asked again. An answer can only come from an engine that
 * was asked, so that a promise is never kept by one that died before it had done the work.
 */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>()
  readonly #onChange: () => void
  #next = 1

  /** @param onChange called when there is a first one or no more */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get size(): number {
    return this.#calls.size
  }

  [Symbol.iterator](): Iterator<PendingCall> {
    return this.#calls.values()
  }

  /**
   * A new call. The signal ends the wait alone.
   * @param ask called with the call when it waits
   * @param abort called when nobody waits any more
   */
  add<Name extends CallName>(
    name: Name,
    input: Calls[Name]['in'],
    on: {
      readonly ask: (call: PendingCall) => void
      readonly abort: (id: number) => void
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<unknown> {
    const { ask, abort, signal } = on
    if (signal?.aborted) return Promise.reject(signal.reason)
    const id = this.#next++
    return new Promise<unknown>((resolve, reject) => {
      const end = (): void => {
        signal?.removeEventListener('abort', aborted)
        if (this.#calls.delete(id) && this.#calls.size === 0) this.#onChange()
      }
      const aborted = (): void => {
        end()
        abort(id)
        reject(signal?.reason)
      }
      const call: PendingCall = {
        id,
        name,
        arguments: input,
        resolve: (value) => {
          end()
          resolve(value)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      signal?.addEventListener('abort', aborted, { once: true })
      this.#calls.set(id, call)
      if (this.#calls.size === 1) this.#onChange()
      ask(call)
    })
  }

  get(id: number): PendingCall | undefined {
    return this.#calls.get(id)
  }

  rejectAll(error: unknown, except?: CallName): void {
    for (const call of [...this.#calls.values()]) if (call.name !== except) call.reject(error)
  }
}
