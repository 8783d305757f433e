/*
 * CRC-64/GO-ISO without tables, 128 bytes at a time.
 *
 * Convention (reflected): the first byte of a message holds the highest powers of x, bit 0 of a byte the highest of its eight; in a
 * 64-bit state bit 63 is x^0, so multiplying by x is a right shift, and a load in this machine's byte order (WebAssembly is
 * little-endian) has the bits where they belong.
 *
 * The polynomial is sparse: x^64 = x^4 + x^3 + x + 1 = (x^3 + 1)(x + 1). So one word is folded, s * x^64 mod P, by two
 * shift-and-XOR steps (`foldWord`), after the four bits that fall out at the right were brought back at the left.
 *
 * Squaring a sum in a field of characteristic 2 squares its terms: x^1024 = x^64 + x^48 + x^16 + 1 = (x^48 + 1)(x^16 + 1). A byte N[q]
 * may thus be cancelled and added again at q + 120, q + 122, q + 126 and q + 128: whole bytes, no bit shifts. Solved for the
 * byte that is written:
 *
 *     N[q] = M[q] ^ G[q - 128] ^ G[q - 122]    where G[q] = N[q] ^ N[q + 2]
 *
 * and M is the message. Eight vectors hold the last 128 N; "the vector 2 (6) bytes further" is one shuffle of two neighbours, which
 * machines have as one instruction. The last vector of a block needs G of the block's own first bytes, so it is done last.
 *
 * Two edges, which only single-bit tests show:
 *  - In the first block nothing precedes, yet its bytes 0..7 do reach its own bytes 120..127: `edge` adds that once.
 *  - The bytes of the last block are not cancelled, so they must not have reached 120..127: the same `edge` takes it out again.
 *
 * What is left after the last block stands for the whole message and is folded word by word, in two chains side by side: the first
 * half is then worth x^512 times more, and x^512 = x^32 + x^24 + x^8 + 1. The state after a prefix enters as if it
 * were XORed into the first 8 bytes.
 */

/** v * x^64 mod P. */
// @ts-ignore: decorator
@inline
export function foldWord(v: u64): u64 {
  let u = v ^ (v << 63) ^ (v << 61) ^ (v << 60)
  u ^= u >>> 3
  return u ^ (u >>> 1)
}

/** Advances a state by `count` < 8 bytes, which are the low bytes of `bytes`: few enough that no bit need be brought back. */
// @ts-ignore: decorator
@inline
export function foldFew(state: u64, bytes: u64, count: u64): u64 {
  const v = state ^ bytes
  let t = v << (64 - 8 * count)
  t ^= t >>> 3
  t ^= t >>> 1
  return (v >>> (8 * count)) ^ t
}

/** Bytes 2..17 of a followed by b. */
// @ts-ignore: decorator
@inline
function by2(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)
}

/** Bytes 6..21 of a followed by b. */
// @ts-ignore: decorator
@inline
function by6(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
}

/** What the first 32 bytes of a block add to its last 16. */
// @ts-ignore: decorator
@inline
function edge(n0: v128, n1: v128): v128 {
  const before = by2(i64x2.splat(0), n0)
  return v128.xor(before, by6(before, v128.xor(n0, by2(n0, n1))))
}

// @ts-ignore: decorator
@inline
function xor3(a: v128, b: v128, c: v128): v128 {
  return v128.xor(a, v128.xor(b, c))
}

// @ts-ignore: decorator
@inline
function foldPair(state: u64, pair: v128): u64 {
  return foldWord(foldWord(state ^ i64x2.extract_lane(pair, 0)) ^ i64x2.extract_lane(pair, 1))
}

/** Advances a raw state by the `size` bytes at `at`. Reads nothing else. */
export function fold(state: u64, at: usize, size: usize): u64 {
  let s = state
  let p = at
  const end = at + size
  if (size >= 256) {
    let n0 = v128.xor(v128.load(p), i64x2(s, 0))
    let n1 = v128.load(p, 16)
    let n2 = v128.load(p, 32)
    let n3 = v128.load(p, 48)
    let n4 = v128.load(p, 64)
    let n5 = v128.load(p, 80)
    let n6 = v128.load(p, 96)
    let n7 = v128.xor(v128.load(p, 112), edge(n0, n1))
    p += 128
    for (const last = end - 128; p <= last; p += 128) {
      let g = v128.xor(n0, by2(n0, n1))
      let h = v128.xor(n1, by2(n1, n2))
      n0 = xor3(v128.load(p), g, by6(g, h))
      g = v128.xor(n2, by2(n2, n3))
      n1 = xor3(v128.load(p, 16), h, by6(h, g))
      h = v128.xor(n3, by2(n3, n4))
      n2 = xor3(v128.load(p, 32), g, by6(g, h))
      g = v128.xor(n4, by2(n4, n5))
      n3 = xor3(v128.load(p, 48), h, by6(h, g))
      h = v128.xor(n5, by2(n5, n6))
      n4 = xor3(v128.load(p, 64), g, by6(g, h))
      g = v128.xor(n6, by2(n6, n7))
      n5 = xor3(v128.load(p, 80), h, by6(h, g))
      h = v128.xor(n7, by2(n7, n0))
      n6 = xor3(v128.load(p, 96), g, by6(g, h))
      g = v128.xor(n0, by2(n0, n1))
      n7 = xor3(v128.load(p, 112), h, by6(h, g))
    }
    n7 = v128.xor(n7, edge(n0, n1))
    s = foldPair(0, n0)
    s = foldPair(s, n1)
    s = foldPair(s, n2)
    s = foldPair(s, n3)
    let t = foldPair(0, n4)
    t = foldPair(t, n5)
    t = foldPair(t, n6)
    t = foldPair(t, n7)
    s = t ^ s ^ (s >>> 8) ^ (s >>> 24) ^ (s >>> 32) ^ foldWord((s << 56) ^ (s << 40) ^ (s << 32))
  }
  for (; p + 8 <= end; p += 8) s = foldWord(s ^ load<u64>(p))
  for (; p < end; p++) s = foldFew(s, load<u8>(p), 1)
  return s
}
