import type { FollowerClock } from './clock.ts'
import type { FollowerListener } from './events.ts'

/** Says when a copy has not been known to be the newest state for too long, and when it is again. */
export class StaleWatch {
  readonly #maxLagMs: number | undefined
  readonly #clock: FollowerClock
  readonly #emit: FollowerListener
  readonly #ended = new AbortController()
  #currentAt: number
  #isKnown = false
  /** It was said. */
  #isStale = false

  constructor(maxLagMs: number | undefined, clock: FollowerClock, emit: FollowerListener) {
    this.#maxLagMs = maxLagMs
    this.#clock = clock
    this.#emit = emit
    this.#currentAt = clock.now()
    if (maxLagMs !== undefined) void this.#watch(maxLagMs)
  }

  /** Milliseconds since the copy was known to be the newest state. */
  get lagMs(): number {
    return this.#clock.now() - this.#currentAt
  }

  /** Also before anything is known. */
  get isStale(): boolean {
    return this.#maxLagMs !== undefined && (!this.#isKnown || this.lagMs > this.#maxLagMs)
  }

  /** At this instant nothing newer was there. */
  current(at: number): void {
    this.#currentAt = at
    this.#isKnown = true
    if (!this.#isStale || this.isStale) return
    this.#isStale = false
    this.#emit({ type: 'fresh' })
  }

  close(): void {
    this.#ended.abort()
  }

  async #watch(maxLagMs: number): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      const left = this.#isStale ? maxLagMs : maxLagMs - this.lagMs
      await this.#clock.sleep(Math.max(0, left) + 1, signal)
      if (signal.aborted || this.lagMs <= maxLagMs || this.#isStale) continue
      this.#isStale = true
      this.#emit({ type: 'stale', lagMs: this.lagMs })
    }
  }
}
