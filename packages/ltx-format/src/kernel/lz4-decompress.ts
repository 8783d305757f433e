import { copyBytes, copyMatch } from './lz4-copy.ts'

/** LZ4's shortest match. */
const MIN_MATCH = 4

/**
 * Decompresses the block src[start, end) into dst from `out` and returns the position after its last byte, or -1 if the
 * block is malformed. Reads nothing outside [start, end), writes nothing outside [out, outEnd); matches may reach back to
 * `low` (<= out). Match distance 0 is refused. An empty block is malformed: the shortest one is a token without literals.
 */
export function decompress(
  src: Uint8Array,
  start: number,
  end: number,
  dst: Uint8Array,
  out: number,
  outEnd: number,
  low: number,
): number {
  let at = start
  let to = out
  while (at < end) {
    const token = src[at++]!
    let length = token >>> 4
    if (length === 15) {
      let more = 255
      while (more === 255) {
        if (at >= end) return -1
        more = src[at++]!
        length += more
      }
    }
    // Every length is at most 255 times the input, so these sums stay exact.
    const literalEnd = at + length
    if (literalEnd > end || to + length > outEnd) return -1
    if (length > 0) {
      copyBytes(src, at, literalEnd, dst, to)
      at = literalEnd
      to += length
    }
    if (at === end) return to
    if (at + 2 > end) return -1
    const distance = src[at]! | (src[at + 1]! << 8)
    at += 2
    length = (token & 15) + MIN_MATCH
    if (length === 15 + MIN_MATCH) {
      let more = 255
      while (more === 255) {
        if (at >= end) return -1
        more = src[at++]!
        length += more
      }
    }
    if (distance === 0 || to - distance < low || to + length > outEnd) return -1
    copyMatch(dst, to, distance, length)
    to += length
  }
  // A block ends with literals, never with a match.
  return -1
}
