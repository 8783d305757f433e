/** Matches may not begin in the last 12 bytes of a block, nor reach into the last 5. */
const LAST_MATCH = 12
const LAST_LITERALS = 5

/**
 * A very short LZ4 block of some KB: looks at every match of every length, which takes time with the square of the size. It
 * is not the codec of the package, so that a change there leaves the kernels' modules alone.
 */
export function packBlock(bytes: Uint8Array): Uint8Array {
  const size = bytes.byteLength
  /** Of what follows each byte, in bytes of output, not counting long runs of literals. */
  const cost = new Uint32Array(size + 1)
  /** Length of the match to take at each byte, 0 for a literal, and how far back it is. */
  const length = new Uint32Array(size)
  const distance = new Uint32Array(size)
  for (let at = size - 1; at >= 0; at--) {
    cost[at] = cost[at + 1]! + 1
    if (at > size - LAST_MATCH) continue
    const longest = longestMatch(bytes, at, size - LAST_LITERALS)
    distance[at] = longest.distance
    for (let n = 4; n <= longest.length; n++) {
      const total = 3 + moreBytes(n - 4) + cost[at + n]!
      if (total >= cost[at]!) continue
      cost[at] = total
      length[at] = n
    }
  }
  const output: number[] = []
  let from = 0
  for (let at = 0; at < size; at += length[at]! || 1) {
    if (length[at] === 0) continue
    putSequence(output, bytes.subarray(from, at), length[at]!, distance[at]!)
    from = at + length[at]!
  }
  putSequence(output, bytes.subarray(from), 0, 0)
  return Uint8Array.from(output)
}

function longestMatch(bytes: Uint8Array, at: number, end: number): { length: number; distance: number } {
  let best = { length: 0, distance: 0 }
  for (let from = Math.max(0, at - 0xffff); from < at; from++) {
    let n = 0
    while (at + n < end && bytes[from + n] === bytes[at + n]) n++
    if (n >= best.length) best = { length: n, distance: at - from }
  }
  return best
}

/** Bytes behind the token for a length of which it holds up to 15. */
function moreBytes(length: number): number {
  return length < 15 ? 0 : Math.floor((length - 15) / 255) + 1
}

/** Literals and the match behind them; the last sequence has none. */
function putSequence(output: number[], literals: Uint8Array, match: number, distance: number): void {
  const rest = Math.max(0, match - 4)
  output.push((Math.min(literals.length, 15) << 4) | Math.min(rest, 15))
  putLength(output, literals.length)
  output.push(...literals)
  if (match === 0) return
  output.push(distance & 255, distance >>> 8)
  putLength(output, rest)
}

function putLength(output: number[], length: number): void {
  for (let left = length - 15, i = moreBytes(length); i > 0; i--, left -= 255)
    output.push(Math.min(left, 255))
}
