import type { AbortOptions } from './blob-store.ts'
import { abortable } from './body.ts'

/** What somebody wants of {@link Slots}. */
export interface SlotsOptions extends AbortOptions {
  /** How many slots it takes: more than there are count as all of them. Default 1. */
  readonly weight?: number | undefined
}

/** So many at once; others wait their turn, first come first served, until their signal aborts. */
export class Slots {
  readonly #limit: number
  #free: number
  readonly #waiting: { readonly weight: number; readonly enter: () => void }[] = []

  /** @throws RangeError when the limit is not an integer from 1 */
  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new RangeError(`limit ${limit} is not an integer from 1`)
    this.#limit = limit
    this.#free = limit
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves with what is wanted, which `leave` gives back. Rejects with the signal's reason. */
  async enter({ signal, weight = 1 }: SlotsOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const taken = Math.min(weight, this.#limit)
    if (this.#waiting.length === 0 && taken <= this.#free) {
      this.#free -= taken
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { weight: taken, enter: resolve }
    this.#waiting.push(waiter)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const place = this.#waiting.indexOf(waiter)
      // Not in the queue any more: it was let in at the same moment, and what it has must go on.
      if (place === -1) this.leave(taken)
      else {
        this.#waiting.splice(place, 1)
        this.#letIn()
      }
      throw error
    }
  }

  /** Gives back what `enter` took with this weight. */
  leave(weight = 1): void {
    this.#free += Math.min(weight, this.#limit)
    this.#letIn()
  }

  /** Holds what is wanted during the call. */
  async run<T>(call: () => Promise<T>, options: SlotsOptions = {}): Promise<T> {
    await this.enter(options)
    try {
      return await call()
    } finally {
      this.leave(options.weight)
    }
  }

  /** In turn: one that needs many is not passed by, or it would wait for ever. */
  #letIn(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.weight > this.#free) return
      this.#waiting.shift()
      this.#free -= next.weight
      next.enter()
    }
  }
}
