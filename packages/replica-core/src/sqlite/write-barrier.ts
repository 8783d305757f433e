import type { BarrierThread } from './barrier-thread.ts'

/**
 * Keeps other writers out of one database for a moment, without ever writing: BEGIN IMMEDIATE, later ROLLBACK.
 * Nothing but the writers' pause depends on it: the holder moves with a guard, barrier or not.
 */
export class WriteBarrier {
  readonly #path: string
  readonly #maxMs: number
  readonly #thread: BarrierThread
  readonly #onHeld: (milliseconds: number) => void
  #held = false

  /**
   * @param maxMs how long it stays up at most
   * @param onHeld learns how long it was, each time
   */
  constructor(path: string, maxMs: number, thread: BarrierThread, onHeld: (milliseconds: number) => void) {
    this.#onHeld = onHeld
    this.#path = path
    this.#maxMs = maxMs
    this.#thread = thread
  }

  /**
   * Runs `work` while nobody can commit, as long as the time lasts.
   *
   * @returns how long writers were kept out, ms; undefined when a writer never left the lock free or the
   *   barrier is up for something else, and `work` was not run
   */
  async hold(work: () => Promise<void>): Promise<number | undefined> {
    if (this.#held) return undefined
    this.#held = true
    try {
      const heldMs = await this.#thread.hold(this.#path, this.#maxMs, work)
      if (heldMs !== undefined) this.#onHeld(heldMs)
      return heldMs
    } finally {
      this.#held = false
    }
  }

  /** Must come before the last read transaction of this process on the database ends. */
  close(): Promise<void> {
    return this.#thread.release(this.#path)
  }
}
