/** Pauses between attempts that fail: each is twice as long as the one before. */
export class GrowingPause {
  readonly #first: number
  readonly #last: number
  #next: number
  #until = 0

  /** @param first and @param last in milliseconds */
  constructor(first: number, last: number) {
    this.#first = first
    this.#last = last
    this.#next = first
  }

  /** How long it is until the next attempt, ms; 0 when it is time. */
  get left(): number {
    return Math.max(0, this.#until - performance.now())
  }

  /** An attempt has failed. Returns how long the pause is that begins now, ms. */
  failed(): number {
    const pause = this.#next
    this.#until = performance.now() + pause
    this.#next = Math.min(pause * 2, this.#last)
    return pause
  }

  /** One has succeeded. */
  succeeded(): void {
    this.#next = this.#first
    this.#until = 0
  }
}
