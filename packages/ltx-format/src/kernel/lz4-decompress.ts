import { copyBytes, copyMatch, SHORT } from './lz4-copy.ts'

/** LZ4's shortest match. */
const MIN_MATCH = 4

/**
 * Decompresses the block src[start, end) into dst from `out` and returns the position after its last byte, or -1 if the
 * block is malformed. Reads nothing outside [start, end), writes nothing outside [out, outEnd); matches may reach back to
 * `low` (<= out). Match distance 0 is refused. An empty block is malformed: the shortest one is a token without literals.
 */
export function decompress(
  src: Uint8Array,
  srcView: DataView,
  start: number,
  end: number,
  dst: Uint8Array,
  dstView: DataView,
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
    const toEnd = to + length
    if (length <= SHORT && literalEnd + 3 <= end && toEnd + 3 <= outEnd) {
      for (; to < toEnd; to += 4, at += 4) dstView.setInt32(to, srcView.getInt32(at, true), true)
    } else {
      copyBytes(src, at, literalEnd, dst, to)
    }
    at = literalEnd
    to = toEnd
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
    const matchEnd = to + length
    if (length <= SHORT && distance >= 4 && matchEnd + 3 <= outEnd) {
      for (let from = to - distance; to < matchEnd; to += 4, from += 4)
        dstView.setInt32(to, dstView.getInt32(from, true), true)
    } else {
      copyMatch(dst, to, distance, length)
    }
    to = matchEnd
  }
  // A block ends with literals, never with a match.
  return -1
}
