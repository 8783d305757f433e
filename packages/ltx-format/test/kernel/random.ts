/** Numbers by the hundred million, the same for the same seed (xoshiro128**). */
export class Random {
  readonly #state: Uint32Array

  constructor(seed: number) {
    this.#state = new Uint32Array(4)
    let x = seed >>> 0
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e37_79b9) >>> 0
      let z = Math.imul(x ^ (x >>> 16), 0x21f0_aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a_2d97)
      this.#state[i] = z ^ (z >>> 15)
    }
  }

  /** 0..2^32-1. */
  word(): number {
    const s = this.#state
    const b = s[1]!
    const five = Math.imul(b, 5)
    const out = Math.imul((five << 7) | (five >>> 25), 9) >>> 0
    s[2] = s[2]! ^ s[0]!
    s[3] = s[3]! ^ b
    s[1] = b ^ s[2]!
    s[0] = s[0]! ^ s[3]!
    s[2] = s[2]! ^ (b << 9)
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return out
  }

  /** 0..limit-1; limit up to 2^32. */
  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit)
  }

  /** True once in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }

  fill(bytes: Uint8Array): void {
    let at = 0
    for (; at + 4 <= bytes.byteLength; at += 4) {
      const word = this.word()
      bytes[at] = word
      bytes[at + 1] = word >>> 8
      bytes[at + 2] = word >>> 16
      bytes[at + 3] = word >>> 24
    }
    for (; at < bytes.byteLength; at++) bytes[at] = this.word()
  }
}

/** A new seed for each run, unless SQLSTREAM_SEED asks for an old one. Failures must print it. */
export function freshSeed(): number {
  return Number(process.env['SQLSTREAM_SEED'] ?? Math.floor(Math.random() * 2 ** 32)) >>> 0
}
