/*
 * CRC-64/GO-ISO without tables.
 *
 * Convention (reflected): the first byte of a message holds the highest powers of x, bit 0 of a byte the highest of its eight;
 * in a 64-bit state bit 63 is x^0, so multiplying by x is a right shift. All numbers here are two 32-bit halves, `lo` (bytes
 * 0..3, little-endian) and `hi` (bytes 4..7).
 *
 * The polynomial is x^64 = x^4 + x^3 + x + 1 = (x^3 + 1)(x + 1): five terms only. Folding one 8-byte word, i.e. s * x^64 mod P,
 * is therefore two shift-and-XOR steps (`>>> 3`, then `>>> 1`), after the four bits that fall out at the end are brought back
 * at the front (`<< 63`, `<< 61`, `<< 60`).
 *
 * Squaring keeps the number of terms: x^2048 = x^128 + x^96 + x^32 + 1. A 32-bit word N may be cancelled and added again 256
 * bytes (64 words) later, at distances 64, 63, 61 and 60 words, all of them whole words, without any shift:
 *
 *     N[i] = M[i] ^ N[i - 64] ^ N[i - 63] ^ N[i - 61] ^ N[i - 60]
 *
 * where M is the message. Only the last 64 N are kept, in a ring; at the end they stand for the whole message and are
 * folded word by word. Two edges:
 *  - words 0..3 of the first block reach into words 60..63 of the same block, which the loop over later blocks does not do;
 *  - the last block must not do so, for its words are not cancelled. The loop has done it; the same XOR takes it out again.
 *
 * The state after a prefix enters as if it were XORed into the next 8 message bytes. JavaScript engines that matter run on
 * little-endian machines only, so an Int32Array reads words as this file needs them.
 */

const RING = 64
const ring = new Int32Array(RING)

/** XORs into words 60..63 of the ring what words 0..3 contribute to them. Doing it twice undoes it. */
function toggleEdge(w: Int32Array): void {
  const a = w[0]!
  const b = w[1]!
  const c = w[2]!
  const d = w[3]!
  w[60]! ^= a
  w[61]! ^= a ^ b
  w[62]! ^= b ^ c
  w[63]! ^= a ^ c ^ d
}

/** Advances `state` (lo, hi) over `count` words from `start`; count must be even. */
export function foldWords(state: Int32Array, words: Int32Array, start: number, count: number): void {
  let lo = state[0]!
  let hi = state[1]!
  const end = start + count
  let at = start
  if (count >= 2 * RING) {
    const w = ring
    for (let i = 0; i < RING; i++) w[i] = words[at + i]!
    w[0]! ^= lo
    w[1]! ^= hi
    toggleEdge(w)
    at += RING
    for (; at + RING <= end; at += RING) {
      let a = w[0]!
      let b = w[1]!
      let c = w[2]!
      let d = w[3]!
      for (let i = 0; i < RING; i += 4) {
        // The last turn wraps round to words 0..3 of this block, which are new by then, as they must be.
        const next = (i + 4) & (RING - 1)
        const e = w[next]!
        const f = w[next + 1]!
        const g = w[next + 2]!
        const h = w[next + 3]!
        const p = at + i
        w[i] = words[p]! ^ a ^ b ^ d ^ e
        w[i + 1] = words[p + 1]! ^ b ^ c ^ e ^ f
        w[i + 2] = words[p + 2]! ^ c ^ d ^ f ^ g
        w[i + 3] = words[p + 3]! ^ d ^ e ^ g ^ h
        a = e
        b = f
        c = g
        d = h
      }
    }
    toggleEdge(w)
    lo = 0
    hi = 0
    for (let i = 0; i < RING; i += 2) {
      lo ^= w[i]!
      hi ^= w[i + 1]!
      hi ^= (lo << 31) ^ (lo << 29) ^ (lo << 28)
      lo ^= (lo >>> 3) | (hi << 29)
      hi ^= hi >>> 3
      lo ^= (lo >>> 1) | (hi << 31)
      hi ^= hi >>> 1
    }
  }
  for (; at < end; at += 2) {
    lo ^= words[at]!
    hi ^= words[at + 1]!
    hi ^= (lo << 31) ^ (lo << 29) ^ (lo << 28)
    lo ^= (lo >>> 3) | (hi << 29)
    hi ^= hi >>> 3
    lo ^= (lo >>> 1) | (hi << 31)
    hi ^= hi >>> 1
  }
  state[0] = lo
  state[1] = hi
}

/** Advances `state` over bytes `start` to `end`, one at a time: x^8 is so small a shift that no bit needs bringing back. */
export function foldFewBytes(state: Int32Array, bytes: Uint8Array, start: number, end: number): void {
  let lo = state[0]!
  let hi = state[1]!
  for (let at = start; at < end; at++) {
    let t = (lo ^ bytes[at]!) << 24
    t ^= t >>> 3
    t ^= t >>> 1
    lo = (lo >>> 8) | (hi << 24)
    hi = (hi >>> 8) ^ t
  }
  state[0] = lo
  state[1] = hi
}

/** Advances `state` over any bytes: whole aligned words by stride, the rest byte by byte. */
export function foldBytes(state: Int32Array, bytes: Uint8Array): void {
  const size = bytes.byteLength
  const head = Math.min(size, -bytes.byteOffset & 3)
  const words = size - head >= 64 ? ((size - head) >>> 3) * 2 : 0
  foldFewBytes(state, bytes, 0, head)
  if (words > 0) foldWords(state, new Int32Array(bytes.buffer, bytes.byteOffset + head, words), 0, words)
  foldFewBytes(state, bytes, head + words * 4, size)
}
