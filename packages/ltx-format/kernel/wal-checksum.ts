/*
 * SQLite's WAL checksum (fileformat2.html, section 4.2), 16 bytes at a time.
 *
 * The two sums that the format describes are the last two terms of one sequence over the words w of the data,
 *
 *     x[k] = x[k-1] + x[k-2] + w[k]    (mod 2^32; x[-2], x[-1] are the sums before)
 *
 * so word k of n has been added F(n-k) times to the last term and F(n-1-k) times to the one before, F being the Fibonacci numbers
 * (F(0) = 0, F(1) = 1): each sum is a dot product of the words with a table, which vectors compute four words at a time. The sums
 * before enter as if a + b were added to word 0 and b to word 1, since x[0] = a + b + w[0] and x[1] = x[0] + b + w[1].
 *
 * The table is in falling order, F(pageSize/4) first: a shorter stretch begins further back in it.
 */

import { fibonacci, pageSize, SUM } from './wal-memory'

// @ts-ignore: decorator
@inline
function swapBytes(words: v128): v128 {
  return v128.shuffle<u8>(words, words, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
}

// @ts-ignore: decorator
@inline
function add4(sums: v128): u32 {
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  )
}

/** Advances SUM over `size` bytes at `at`, a multiple of 8 up to the page size. */
// @ts-ignore: decorator
@inline
function sumPart(at: usize, size: usize, swap: bool): void {
  const a = load<u32>(SUM)
  const b = load<u32>(SUM, 4)
  /** Of the word at p the factors are at p + toFactors for the second sum and 4 further for the first. */
  const toFactors = fibonacci + pageSize - size - at
  let first = i32x4.splat(0)
  let second = i32x4.splat(0)
  let p = at
  const end = at + size
  for (const last = end - 32; p <= last; p += 32) {
    let w = v128.load(p)
    let v = v128.load(p, 16)
    if (swap) {
      w = swapBytes(w)
      v = swapBytes(v)
    }
    second = i32x4.add(second, i32x4.mul(w, v128.load(p + toFactors)))
    first = i32x4.add(first, i32x4.mul(w, v128.load(p + toFactors, 4)))
    second = i32x4.add(second, i32x4.mul(v, v128.load(p + toFactors, 16)))
    first = i32x4.add(first, i32x4.mul(v, v128.load(p + toFactors, 20)))
  }
  let s1 = add4(first)
  let s2 = add4(second)
  for (; p < end; p += 4) {
    const w = swap ? bswap<u32>(load<u32>(p)) : load<u32>(p)
    s2 += w * load<u32>(p + toFactors)
    s1 += w * load<u32>(p + toFactors, 4)
  }
  const factors = at + toFactors
  s2 += (a + b) * load<u32>(factors) + b * load<u32>(factors, 4)
  s1 += (a + b) * load<u32>(factors, 4) + b * load<u32>(factors, 8)
  store<u32>(SUM, s1)
  store<u32>(SUM, s2, 4)
}

/** Advances SUM over the `size` bytes at `at`, a multiple of 8, with words in big-endian order if `swap`. */
export function checksum(at: usize, size: usize, swap: bool): void {
  let p = at
  let left = size
  while (left > 0) {
    const part = min(left, pageSize)
    if (swap) sumPart(p, part, true)
    else sumPart(p, part, false)
    p += part
    left -= part
  }
}
