const TICK_MS = 250
/** A stall of half a second is seen as a tick that comes at least so late. */
const LATE_MS = 250
/** The kernel keeps 16,384 events; a turn of the event loop that brings so many may have lost some. */
const MOST_EVENTS = 10_000

/** Notices when events of the kernel may have been lost. Its timer runs only while somebody listens. */
export class StallClock {
  readonly #listeners = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #due = 0
  #events = 0
  #turn: NodeJS.Immediate | undefined

  /** Returns the function that ends it. */
  listen(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    if (this.#timer === undefined) {
      this.#due = performance.now() + TICK_MS
      this.#timer = setInterval(() => this.#tick(), TICK_MS)
      this.#timer.unref()
    }
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size === 0) this.close()
    }
  }

  /** One event came. */
  count(): void {
    if (this.#listeners.size === 0) return
    this.#events++
    this.#turn ??= setImmediate(() => {
      const many = this.#events > MOST_EVENTS
      this.#turn = undefined
      this.#events = 0
      if (many) this.#suspect()
    }).unref()
  }

  close(): void {
    this.#listeners.clear()
    clearInterval(this.#timer)
    clearImmediate(this.#turn)
    this.#timer = undefined
    this.#turn = undefined
    this.#events = 0
  }

  #tick(): void {
    const now = performance.now()
    const late = now - this.#due
    this.#due = now + TICK_MS
    if (late > LATE_MS) this.#suspect()
  }

  #suspect(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
