/** Longest varint of a uint64. */
export const MAX_VARINT_SIZE = 10

/** Writes 0 <= value <= 2^53-1 as little-endian groups of 7 bits and returns the position after it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value
  let position = at
  // Division, not shifts: shifts see only 32 bits.
  while (rest >= 0x8000_0000) {
    out[position++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 0x80) {
    out[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  out[position++] = rest
  return position
}

/** Writes the three numbers of a page index's entry and returns the position after them. */
export function writeEntry(out: Uint8Array, at: number, pgno: number, offset: number, size: number): number {
  return writeVarint(out, writeVarint(out, writeVarint(out, at, pgno), offset), size)
}

/** Reads varints one after another from bytes that are all there. */
export class VarintReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  /** Position of the next byte. */
  at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.at = start
  }

  /** The next value, or -1 if it does not end before the end, is longer than needed, or exceeds 2^53-1. */
  next(): number {
    let value = 0
    let scale = 1
    for (let size = 1; size <= MAX_VARINT_SIZE; size++) {
      if (this.at >= this.#end) return -1
      const byte = this.#bytes[this.at++]!
      const bits = byte & 0x7f
      // 2^56 and above hold nothing that a number can carry; not adding them also keeps the sum exact.
      if (bits !== 0 && scale > 2 ** 49) return -1
      value += bits * scale
      if (value > Number.MAX_SAFE_INTEGER) return -1
      if (byte < 0x80) return byte === 0 && size > 1 ? -1 : value
      scale *= 128
    }
    return -1
  }
}
