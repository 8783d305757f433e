import type { LeaseClock } from '../../src/lease/clock.ts'

interface Sleeper {
  readonly at: number
  wake(): void
}

/** A clock of one process that goes only when it is told to. */
export class FakeClock implements LeaseClock {
  #monotonic = 1000
  #wall: number
  #sleepers: Sleeper[] = []

  /** @param skewMs how far its wall clock is off */
  constructor(skewMs = 0) {
    this.#wall = Date.UTC(2030, 0, 1) + skewMs
  }

  monotonic(): number {
    return this.#monotonic
  }

  wall(): number {
    return this.#wall
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const sleeper: Sleeper = { at: this.#monotonic + milliseconds, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((each) => each !== sleeper)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  }

  /** Time passes; who sleeps wakes in order. Resolves when nothing more happens. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#monotonic + milliseconds
    for (;;) {
      await settle()
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#go(next.at - this.#monotonic)
      this.#sleepers = this.#sleepers.filter((each) => each !== next)
      next.wake()
    }
    this.#go(end - this.#monotonic)
    await settle()
  }

  /** Time passes while the process stands still: whoever slept wakes only afterwards. */
  pause(milliseconds: number): void {
    this.#go(milliseconds)
  }

  /** The machine sleeps: the monotonic clock stops, the wall clock is put right afterwards. */
  suspend(milliseconds: number): void {
    this.#wall += milliseconds
  }

  /** The wall clock is put forward or back. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds
  }

  /** How many wait for the time. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  #go(milliseconds: number): void {
    this.#monotonic += milliseconds
    this.#wall += milliseconds
  }
}

/** Lets everything that needs no time go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
