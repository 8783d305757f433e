import type { FollowerClock } from '../../src/index.ts'

/** A clock that moves when it is told to; who sleeps wakes when its time has come. */
export class FakeClock implements FollowerClock {
  #now = 0
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()
  #onSleep: (() => void) | undefined

  now(): number {
    return this.#now
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = {
        until: this.#now + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal.addEventListener('abort', sleeper.wake, { once: true })
      this.#onSleep?.()
    })
  }

  /** Resolves when so many sleep at once. */
  async quiet(sleepers = 1): Promise<void> {
    while (this.#sleepers.size < sleepers) {
      await new Promise<void>((resolve) => {
        this.#onSleep = resolve
      })
    }
  }

  /** Moves on. */
  advance(milliseconds: number): void {
    this.#now += milliseconds
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.#now) sleeper.wake()
  }
}
