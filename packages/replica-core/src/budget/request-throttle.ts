/** What a throttle needs of time. */
export interface ThrottleClock {
  /** Milliseconds, from anywhere. */
  now(): number
  /** Calls once after so many milliseconds. */
  after(milliseconds: number, call: () => void): void
}

interface Waiter {
  readonly enter: () => void
}

const SYSTEM: ThrottleClock = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    setTimeout(call, milliseconds)
  },
}

/**
 * So many requests a second, of all databases together, and as many at once after a pause of a second. Databases take turns, so one with
 * a thousand requests delays another by one.
 */
export class RequestThrottle {
  readonly #perSecond: number
  readonly #clock: ThrottleClock
  /** By database, in the order of their turns. */
  readonly #waiting = new Map<string, Waiter[]>()
  #tokens: number
  #filled: number
  #timed = false

  /** @throws RangeError when the number is not positive */
  constructor(perSecond: number, clock: ThrottleClock = SYSTEM) {
    if (!(perSecond > 0) || !Number.isFinite(perSecond))
      throw new RangeError(`${perSecond} requests a second are not a rate`)
    this.#perSecond = perSecond
    this.#clock = clock
    this.#tokens = this.#most
    this.#filled = clock.now()
  }

  /** Resolves when a request may be sent. Rejects with the signal's reason. */
  async enter(database: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.#fill()
    if (this.#waiting.size === 0 && this.#tokens >= 1) {
      this.#tokens -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#leave(database, waiter)
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const same = this.#waiting.get(database)
      if (same === undefined) this.#waiting.set(database, [waiter])
      else same.push(waiter)
      this.#wait()
    })
  }

  /** For a request that must not wait: others wait longer for it. */
  takeNow(): void {
    this.#fill()
    this.#tokens -= 1
  }

  get #most(): number {
    return Math.max(1, this.#perSecond)
  }

  #fill(): void {
    const now = this.#clock.now()
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#filled) / 1000) * this.#perSecond)
    this.#filled = now
  }

  #wait(): void {
    if (this.#timed || this.#waiting.size === 0) return
    this.#timed = true
    const needed = Math.max(0, 1 - this.#tokens)
    this.#clock.after(Math.max(1, Math.ceil((needed / this.#perSecond) * 1000)), () => {
      this.#timed = false
      this.#fill()
      while (this.#tokens >= 1 && this.#next()) this.#tokens -= 1
      this.#wait()
    })
  }

  /** Lets in the first request of the database whose turn it is. */
  #next(): boolean {
    for (const [database, waiters] of this.#waiting) {
      this.#waiting.delete(database)
      const waiter = waiters.shift()
      // Its next turn is behind all others.
      if (waiters.length > 0) this.#waiting.set(database, waiters)
      waiter?.enter()
      return true
    }
    return false
  }

  #leave(database: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(database)
    const at = waiters?.indexOf(waiter) ?? -1
    if (waiters === undefined || at < 0) return
    waiters.splice(at, 1)
    if (waiters.length === 0) this.#waiting.delete(database)
  }
}
