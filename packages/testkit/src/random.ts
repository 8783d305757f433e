/** A small, quick, seeded source of numbers (xorshift32). Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    // Spread the seed, so that neighbouring seeds begin differently; never all zero.
    this.#state = Math.imul(seed ^ 0x5bf03635, 0x9e3779b1) | 1
  }

  /** An integer from 0 up to but without `below`. */
  below(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return Math.floor(((x >>> 0) / 0x100000000) * below)
  }

  /** An integer from `from` up to and including `to`. */
  integer(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  /** One of the given values, which must not be empty. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.below(1_000_000) < probability * 1_000_000
  }

  /** Bytes that do not compress. */
  bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let i = 0; i < words.length; i++) words[i] = this.below(0x100000000)
    return new Uint8Array(words.buffer, 0, length)
  }
}
