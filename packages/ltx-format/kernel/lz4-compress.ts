/*
 * The LZ4 block compressor. src/kernel/lz4-compress.ts is its twin: the two give the same bytes, so what is changed here must be
 * changed there.
 *
 *  - The page is copied to PAGE, a multiple of 64 KiB, so that the 16 low bits of an address are the place in the page: they are stored
 *    and loaded as they are, and PAGE is a constant inside each load. Copy and empty table cost 3 %, what they save is 15 %.
 *  - The table is empty at the start, so the output depends on the page alone. An empty entry is the page's first byte, a place like
 *    any other: the comparison of four bytes alone decides.
 *  - Four neighbouring positions are tried in straight code, with a hash over 4 bytes each. Nothing inside a match enters the table.
 *  - Without a match for long, positions are skipped, more and more.
 *
 * What costs time are branches that cannot be foretold, which try hits above all, and what must be known before such a branch is
 * decided: so the way from a position to the bytes to compare with is short.
 *
 * Copies move 16 bytes at a time and so write up to 15 bytes behind the output and read as much behind the page. The owner of the
 * memory keeps that room (SLACK).
 */

import { copy16 } from './copy16'
import { PAGE, TABLE, TABLE_SIZE } from './memory'

/** log2 of the entries in the table. */
const HASH_BITS: u32 = 13
/** LZ4: the last five bytes are literals. */
const LAST_LITERALS: usize = 5
/** LZ4: no match starts in the last 12 bytes. Positions are tried in fours, of which the last must obey that. */
const TRY_LIMIT: usize = 15
const MIN_MATCH: usize = 4

/** Puts `position` into the table and returns where in the page the last position with the hash of `v` is. */
// @ts-ignore: decorator
@inline
function exchange(v: u32, position: usize): usize {
  const entry = <usize>((v * 0x9e3779b1) >>> (32 - HASH_BITS)) << 1
  const old = <usize>load<u16>(entry, TABLE)
  store<u16>(entry, position, TABLE)
  return old
}

function writeLength(to: usize, length: usize): usize {
  let at = to
  let rest = length
  for (; rest >= 255; rest -= 255) store<u8>(at++, 255)
  store<u8>(at++, rest)
  return at
}

/** A token without match length, the length of the run, its bytes. */
function writeLiterals(to: usize, from: usize, size: usize): usize {
  let at = to + 1
  store<u8>(to, min(size, 15) << 4)
  if (size >= 15) at = writeLength(at, size - 15)
  copy16(at, from, size)
  return at + size
}

/** Where two stretches, the later of which ends at `end`, differ first; the result is in the later. Reads up to 7 bytes behind `end`. */
// @ts-ignore: decorator
@inline
function matchEnd(earlier: usize, later: usize, end: usize): usize {
  let a = earlier
  let b = later
  while (b < end) {
    const difference = load<u64>(a) ^ load<u64>(b)
    if (difference != 0) return min(b + (<usize>ctz(difference) >>> 3), end)
    a += 8
    b += 8
  }
  return end
}

/**
 * Compresses the `size` bytes at `page`, a page size, to `out`, where the worst case and SLACK must fit. Returns the position after the
 * block. Bytes that do not shrink become one run of literals.
 */
export function compress(page: usize, size: usize, out: usize): usize {
  memory.fill(TABLE, 0, TABLE_SIZE)
  memory.copy(PAGE, page, size)
  const end = PAGE + size
  const limit = end - TRY_LIMIT
  const last = end - LAST_LITERALS
  let anchor = PAGE
  let to = out
  let at = PAGE + 1
  let misses: usize = 0
  while (at < limit) {
    const v0 = load<u32>(at)
    let match = exchange(v0, at)
    if (load<u32>(match, PAGE) != v0) {
      const v1 = load<u32>(at, 1)
      match = exchange(v1, at + 1)
      if (load<u32>(match, PAGE) != v1) {
        const v2 = load<u32>(at, 2)
        match = exchange(v2, at + 2)
        if (load<u32>(match, PAGE) != v2) {
          const v3 = load<u32>(at, 3)
          match = exchange(v3, at + 3)
          if (load<u32>(match, PAGE) != v3) {
            at += 4 + (misses >>> 1)
            misses++
            continue
          }
          at += 3
        } else at += 2
      } else at += 1
    }
    misses = 0
    match += PAGE
    const stop = matchEnd(match + MIN_MATCH, at + MIN_MATCH, last)
    while (at != anchor) {
      if (load<u8>(at - 1) != load<u8>(match - 1)) break
      if (match == PAGE) break
      at--
      match--
    }
    const literals = at - anchor
    const length = stop - at - MIN_MATCH
    if (i32(literals < 15) & i32(length < 15)) {
      store<u8>(to, (literals << 4) | length)
      v128.store(to, v128.load(anchor), 1)
      to += literals
      store<u16>(to, at - match, 1)
      to += 3
    } else {
      const token = to
      to = writeLiterals(to, anchor, literals)
      store<u16>(to, at - match)
      to += 2
      store<u8>(token, load<u8>(token) | min(length, 15))
      if (length >= 15) to = writeLength(to, length - 15)
    }
    anchor = stop
    at = stop
  }
  to = writeLiterals(to, anchor, end - anchor)
  const longest = size + (size + 240) / 255 + 1
  if (anchor != PAGE && to - out >= longest) to = writeLiterals(out, PAGE, size)
  return to
}
