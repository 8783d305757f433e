import type { AbortOptions } from './blob-store.ts'
import { abortable } from './body.ts'

/** So many at once; others wait their turn, first come first served, until their signal aborts. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  /** @throws RangeError when the limit is not an integer from 1 */
  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new RangeError(`limit ${limit} is not an integer from 1`)
    this.#free = limit
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves with a slot, which `leave` gives back. Rejects with the signal's reason. */
  async enter(options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    try {
      await abortable(promise, options.signal)
    } catch (error) {
      const place = this.#waiting.indexOf(resolve)
      // Not in the queue any more: it was let in at the same moment, and the slot must go on.
      if (place === -1) this.leave()
      else this.#waiting.splice(place, 1)
      throw error
    }
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }

  /** Holds a slot during the call. */
  async run<T>(call: () => Promise<T>, options: AbortOptions = {}): Promise<T> {
    await this.enter(options)
    try {
      return await call()
    } finally {
      this.leave()
    }
  }
}
