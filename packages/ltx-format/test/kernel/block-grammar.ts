import type { Random } from './random.ts'

/** Where the coding of a length, or the way in which a decoder copies it, changes. */
const EDGES = [
  13, 14, 15, 16, 17, 18, 19, 20, 31, 32, 33, 34, 35, 36, 47, 48, 49, 63, 64, 65, 269, 270, 271, 273, 274,
  275, 529,
]

/**
 * Builds LZ4 blocks token by token, most of them almost right: lengths and distances are chosen to land near the ends of the page and
 * of the block, where a decoder that checks too little goes astray. Random bytes would be refused at the first token.
 */
export class BlockGrammar {
  /** The block is bytes[0, length). */
  readonly bytes: Uint8Array
  length = 0
  readonly #random: Random
  readonly #noise: Uint8Array
  /** Bytes of the page that the sequences so far stand for. */
  #size = 0

  /** For pages of up to `largest` bytes. */
  constructor(random: Random, largest: number) {
    this.#random = random
    // A length far beyond the page costs a byte for each 255, a run of literals costs its own length.
    this.bytes = new Uint8Array(2 * largest + 4096)
    this.#noise = new Uint8Array(2 * largest + 4096)
    random.fill(this.#noise)
  }

  /** A block for a page of `room` bytes. */
  build(room: number): void {
    const random = this.#random
    this.length = 0
    this.#size = 0
    const sequences = random.below(7)
    for (let i = 0; i < sequences && this.length < this.bytes.byteLength / 2; i++) {
      const first = i === 0 && !random.oneIn(16) ? 1 : 0
      const literals = this.#length(first, room - this.#size)
      // No match fits any more; to try one all the same is what the others do.
      if (room - this.#size - literals < 4 && !random.oneIn(3)) break
      const match = this.#length(4, room - this.#size - literals)
      this.#sequence(literals, match)
    }
    this.#finish(room - this.#size)
    if (random.oneIn(12)) this.#damage()
  }

  /** A block that is right, in few bytes: one literal, repeated, and five more. */
  buildRight(room: number): void {
    this.length = 0
    this.#size = 0
    this.#literals(1, room - 6)
    this.#push(1, 0)
    this.#more(room - 6 - 4)
    this.#literals(5, 0)
  }

  #length(least: number, left: number): number {
    const random = this.#random
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        return least + random.below(14)
      case 3:
        return least + random.below(64)
      case 4:
      case 5:
        return Math.max(least, random.pick(EDGES))
      case 6:
        // A little before the end: the next sequence meets it.
        return Math.max(least, left - random.below(40))
      case 7:
        return Math.max(least, left - random.below(6))
      case 8:
        // Round the end, one or two past it among others.
        return Math.max(least, left + random.below(9) - 6)
      default:
        if (random.oneIn(12)) return Math.max(least, left) + random.below(random.pick([20, 300, 70_000]))
        return least + random.below(Math.max(1, left))
    }
  }

  #sequence(literals: number, match: number): void {
    this.#literals(literals, match)
    const distance = this.#distance()
    this.#push(distance, distance >>> 8)
    this.#more(match - 4)
    this.#size += match
  }

  /** Distances beyond the start are what #damage and one in sixty are for; the others are good, small ones most often. */
  #distance(): number {
    const random = this.#random
    const size = Math.min(this.#size, 65535)
    if (random.oneIn(60) || size === 0) return random.pick([0, size + 1, size + 2, size + 16, 65535])
    const kind = random.below(8)
    if (kind < 4) return 1 + random.below(Math.min(size, 20))
    if (kind < 6) return 1 + random.below(Math.min(size, 70))
    return kind === 6 ? size : 1 + random.below(size)
  }

  /** Token, length and bytes of a run of literals, before a match of that length (0: none). */
  #literals(count: number, match: number): void {
    this.#push((Math.min(count, 15) << 4) | Math.min(Math.max(match - 4, 0), 15))
    this.#more(count)
    const there = Math.min(count, this.bytes.byteLength - 1024 - this.length)
    if (there > 0) {
      const from = this.#random.below(this.#noise.byteLength - there)
      for (let i = 0; i < there; i++) this.bytes[this.length + i] = this.#noise[from + i]!
      this.length += there
    }
    this.#size += count
  }

  /** What follows a token's 15. */
  #more(length: number): void {
    if (length < 15) return
    let rest = length - 15
    for (; rest >= 255; rest -= 255) this.#push(255)
    this.#push(rest)
  }

  #push(...values: readonly number[]): void {
    for (const value of values) this.bytes[this.length++] = value
  }

  /** The last run of literals: right in most cases, for every mistake made before it makes the block wrong anyway. */
  #finish(left: number): void {
    const random = this.#random
    const kind = random.below(16)
    if (kind < 12) this.#literals(Math.max(0, left), 0)
    else if (kind === 12) this.#literals(Math.max(0, left + random.below(5) - 2), 0)
    else if (kind === 13) this.#literals(0, 0)
    else if (kind === 14) this.#push(...[0xff, 255, 255, 255, 255].slice(0, random.below(6)))
    // Else it ends with a match, or is empty.
  }

  #damage(): void {
    const random = this.#random
    const at = random.below(this.length + 1)
    const kind = random.below(5)
    if (kind === 0) this.length = at
    else if (kind === 1) this.length = Math.max(0, this.length - random.below(4))
    else if (kind === 2) this.bytes[at] = random.pick([0, 0x0f, 0xf0, 0xff, random.below(256)])
    else if (kind === 3) this.bytes.fill(255, at, Math.min(at + random.below(40), this.length))
    else this.#push(random.below(256))
  }
}
