/*
 * A CRC is linear: the raw state after a prefix A and data D is shift(state(A), length of D) ^ raw(D), where raw(D) starts at zero. The
 * file checksum and the checksum of a page differ in their prefix only, so one pass over the page serves both, and
 * checksums that were computed apart can be joined.
 *
 * The table at SHIFT has, for each of the 16 nibbles of a state, its 16 products with x^(8 * page size). The owner of the memory fills it.
 */

import { SHIFT } from './memory'

/** The state after a page's length of zero bytes. */
export function shiftByPage(state: u64): u64 {
  let out: u64 = 0
  let s = state
  for (let table = SHIFT; table < SHIFT + 256 * 8; table += 16 * 8) {
    out ^= load<u64>(table + ((<usize>s & 15) << 3))
    s >>>= 4
  }
  return out
}
