import { abortable } from '@sqlstream/storage'

/** So many bytes at once, of all who ask; others wait their turn, first come first served. */
export class ByteSlots {
  readonly #limit: number
  #used = 0
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = []

  /** @throws RangeError when the limit is not an integer from 1 */
  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new RangeError(`limit ${limit} is not an integer from 1`)
    this.#limit = limit
  }

  /** Holds so many bytes during the call; more than there are count as all of them. Rejects with the signal's reason. */
  async run<T>(bytes: number, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const taken = Math.min(bytes, this.#limit)
    await this.#enter(taken, signal)
    try {
      return await call()
    } finally {
      this.#leave(taken)
    }
  }

  async #enter(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#waiting.length === 0 && this.#used + bytes <= this.#limit) {
      this.#used += bytes
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { bytes, enter: resolve }
    this.#waiting.push(waiter)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const place = this.#waiting.indexOf(waiter)
      // Not in the queue any more: it was let in at the same moment, and its bytes must go on.
      if (place < 0) this.#leave(bytes)
      else {
        this.#waiting.splice(place, 1)
        this.#letIn()
      }
      throw error
    }
  }

  #leave(bytes: number): void {
    this.#used -= bytes
    this.#letIn()
  }

  /** In turn: one that needs much is not passed by, or it would wait for ever. */
  #letIn(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#used + next.bytes > this.#limit) return
      this.#waiting.shift()
      this.#used += next.bytes
      next.enter()
    }
  }
}
