/*
 * The LZ4 block compressor. src/kernel/lz4-compress.ts is its twin: the two give the same bytes, so what is changed here must be
 * changed there.
 *
 *  - The table holds base + offset in 16 bits and is not cleared between pages: base grows with each page, and an entry of an earlier
 *    page, being below base, is clamped to the page's first byte, where an empty entry points too. A select in place of a branch
 *    that cannot be foretold; the comparison of four bytes then decides alone. So the output depends on the page
 *    alone. The table is cleared when 16 bits run out.
 *  - One load of 8 bytes serves four neighbouring positions with a hash over 5 bytes each.
 *  - Without a match for long, positions are skipped, more and more.
 *
 * Copies move 16 bytes at a time and so write up to 15 bytes behind the output and read as much behind the page. The owner of the
 * memory keeps that room (SLACK).
 */

import { TABLE, TABLE_SIZE } from './memory'

/** log2 of the entries in the table. */
const HASH_BITS: u32 = 13
/** LZ4: the last five bytes are literals. */
const LAST_LITERALS: usize = 5
/** LZ4: no match starts in the last 12 bytes. Positions are tried in fours, of which the last must obey that. */
const TRY_LIMIT: usize = 15
const MIN_MATCH: usize = 4

let base: u32 = 0

/** Address of the table entry for the five bytes at the low end of `v`. */
// @ts-ignore: decorator
@inline
function slot(v: u64): usize {
  return TABLE + (((<u32>(v ^ (v >>> 8)) * 0x9e3779b1) >>> (32 - HASH_BITS)) << 1)
}

/**
 * Puts `position` into the table and returns where the last position of this page with that hash is. `bias` is what a table value has
 * more than an address.
 */
// @ts-ignore: decorator
@inline
function exchange(v: u64, position: usize, start: usize, bias: usize): usize {
  const entry = slot(v)
  const old = <isize>(<usize>load<u16>(entry) - bias)
  store<u16>(entry, position + bias)
  return select(<usize>old, start, old > <isize>start)
}

/** Copies `size` bytes, in steps of 16: may write and read up to 15 bytes too many. */
// @ts-ignore: decorator
@inline
function copy16(to: usize, from: usize, size: usize): void {
  const end = to + size
  do {
    v128.store(to, v128.load(from))
    to += 16
    from += 16
  } while (to < end)
}

function writeLength(to: usize, length: usize): usize {
  let at = to
  let rest = length
  for (; rest >= 255; rest -= 255) store<u8>(at++, 255)
  store<u8>(at++, rest)
  return at
}

/** A token without match length, the length of the run, its bytes. */
// @ts-ignore: decorator
@inline
function writeLiterals(to: usize, from: usize, size: usize): usize {
  let at = to + 1
  if (size < 15) {
    store<u8>(to, size << 4)
    v128.store(at, v128.load(from))
    return at + size
  }
  store<u8>(to, 0xf0)
  at = writeLength(at, size - 15)
  copy16(at, from, size)
  return at + size
}

/** Where two stretches, the later of which ends at `end`, differ first; the result is in the later. */
// @ts-ignore: decorator
@inline
function matchEnd(earlier: usize, later: usize, end: usize): usize {
  let a = earlier
  let b = later
  while (b + 8 <= end) {
    const difference = load<u64>(a) ^ load<u64>(b)
    if (difference != 0) return b + (<usize>ctz(difference) >>> 3)
    a += 8
    b += 8
  }
  while (b < end && load<u8>(a) == load<u8>(b)) {
    a++
    b++
  }
  return b
}

/**
 * Compresses the `size` <= 65536 bytes at `start` to `out`, where the worst case and SLACK must fit. Returns the position after the
 * block. Bytes that do not shrink become one run of literals.
 */
export function compress(start: usize, size: usize, out: usize): usize {
  if (base + <u32>size > 0x10000) {
    memory.fill(TABLE, 0, TABLE_SIZE)
    base = 0
  }
  const bias = base - start
  base += <u32>size
  const end = start + size
  const limit = end - TRY_LIMIT
  const last = end - LAST_LITERALS
  let anchor = start
  let to = out
  let at = start + 1
  let misses: usize = 0
  while (size > TRY_LIMIT && at < limit) {
    const v = load<u64>(at)
    let match = exchange(v, at, start, bias)
    if (load<u32>(match) != <u32>v) {
      match = exchange(v >>> 8, at + 1, start, bias)
      if (load<u32>(match) != <u32>(v >>> 8)) {
        match = exchange(v >>> 16, at + 2, start, bias)
        if (load<u32>(match) != <u32>(v >>> 16)) {
          match = exchange(v >>> 24, at + 3, start, bias)
          if (load<u32>(match) != <u32>(v >>> 24)) {
            at += 4 + (misses >>> 2)
            misses++
            continue
          }
          at++
        }
        at++
      }
      at++
    }
    misses = 0
    const stop = matchEnd(match + MIN_MATCH, at + MIN_MATCH, last)
    while (at > anchor && match > start && load<u8>(at - 1) == load<u8>(match - 1)) {
      at--
      match--
    }
    const token = to
    to = writeLiterals(to, anchor, at - anchor)
    store<u16>(to, at - match)
    to += 2
    const length = stop - at - MIN_MATCH
    if (length < 15) {
      store<u8>(token, load<u8>(token) | length)
    } else {
      store<u8>(token, load<u8>(token) | 15)
      to = writeLength(to, length - 15)
    }
    anchor = stop
    at = stop
    if (at < limit) exchange(load<u64>(at - 2), at - 2, start, bias)
  }
  to = writeLiterals(to, anchor, end - anchor)
  if (anchor != start && to - out >= literalSize(size)) to = writeLiterals(out, start, size)
  return to
}

/** Size of `size` bytes as one run of literals. */
function literalSize(size: usize): usize {
  return size < 15 ? 1 + size : 2 + (size - 15) / 255 + size
}
