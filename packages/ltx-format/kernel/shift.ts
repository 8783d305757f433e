/*
 * A CRC is linear: the raw state after a prefix A and data D is shift(state(A), length of D) ^ raw(D), where raw(D) starts at zero. The
 * file checksum and the checksum of a page differ in their prefix only, so one pass over the page serves both, and
 * checksums that were computed apart can be joined.
 *
 * The table at SHIFT has, for each of the 16 nibbles of a state, its 16 products with x^(8 * page size).
 */

import { foldWord } from './crc64'

/** Its address, here because memory.ts imports this file. */
const SHIFT: usize = 2048
const SHIFT_END: usize = SHIFT + 256 * 8

/** Makes the table, in memory that is zero. */
export function makeShift(pageSize: usize): void {
  let factor: u64 = 1 << 63
  for (let i: usize = 0; i < pageSize; i += 8) factor = foldWord(factor)
  // From the highest bit down, each is the one before times x. Every entry with that bit in its value gets it.
  for (let table = SHIFT_END - 128; table >= SHIFT; table -= 128) {
    for (let bit: usize = 64; bit > 4; bit >>>= 1) {
      for (let value: usize = 0; value < 128; value += 8) {
        if (value & bit) store<u64>(table + value, load<u64>(table + value) ^ factor)
      }
      factor = (factor >>> 1) ^ (factor & 1 ? 0xd800000000000000 : 0)
    }
  }
}

/** The state after a page's length of zero bytes. */
export function shiftByPage(state: u64): u64 {
  let out: u64 = 0
  let s = state
  for (let table = SHIFT; table < SHIFT_END; table += 64 * 8) {
    const four = <usize>s
    out ^= load<u64>(table + ((four << 3) & 0x78))
    out ^= load<u64>(table + ((four >>> 1) & 0x78), 128)
    out ^= load<u64>(table + ((four >>> 5) & 0x78), 256)
    out ^= load<u64>(table + ((four >>> 9) & 0x78), 384)
    s >>>= 16
  }
  return out
}
