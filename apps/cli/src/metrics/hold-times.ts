/** Each bound is so much more than the one before: a quantile is exact to that. */
const STEP = 1.1
const LEAST_MS = 0.05
const BUCKETS = 160

/** How long writers were kept out, since the start. */
export interface HoldSummary {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Times of the write lock, in buckets so narrow that quantiles can be told. Takes the same memory for ever. */
export class HoldTimes {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0
  #max = 0

  observe(milliseconds: number): void {
    const at = Math.ceil(Math.log(milliseconds / LEAST_MS) / Math.log(STEP))
    this.#counts[Math.min(Math.max(at, 0), BUCKETS - 1)]!++
    this.#count++
    this.#max = Math.max(this.#max, milliseconds)
  }

  get summary(): HoldSummary {
    return { count: this.#count, p50Ms: this.#quantile(0.5), p99Ms: this.#quantile(0.99), maxMs: this.#max }
  }

  /** At least this part of all times was no longer than that. */
  #quantile(part: number): number {
    const wanted = Math.ceil(this.#count * part)
    let seen = 0
    for (let i = 0; i < BUCKETS && this.#count > 0; i++) {
      seen += this.#counts[i]!
      if (seen >= wanted) return Math.min(LEAST_MS * STEP ** i, this.#max)
    }
    return this.#max
  }
}
