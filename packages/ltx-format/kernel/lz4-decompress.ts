/*
 * The LZ4 block decoder.
 *
 * Why it stays inside its windows, whatever the input says (in: [in, inEnd), out: [out, outEnd)):
 *
 *  1. Lengths cannot overflow. A length grows by at most 255 for each input byte, and the caller has bounded the input by compressBound,
 *     some 66,000 bytes, so every length is below 2^25 and every sum of a pointer and a length below 2^32.
 *  2. A byte of the input is used only after `at < inEnd`, or for a distance `inEnd - at >= 2`, has been tested.
 *  3. A run of literals is copied only if it fits both the rest of the input and the rest of the output; a match only if its distance is
 *     not 0, does not reach before `out`, and its length fits the rest of the output. All of this is tested for every
 *     sequence, short ones as well: after a long run of literals even four bytes may be too many. The inner loop tests 2. and
 *     3. for the largest of the sequences that it takes, and leaves all others to the code behind it. Windows lie above HEAP,
 *     so that what is subtracted from their ends does not pass 0.
 *  4. So the exact copies stay inside. Copies move 16 bytes at a time, the first 16 whatever the length: they read at most 16 bytes
 *     behind the input (a match: behind what is written, which is the output window or its slack) and write at most 16
 *     behind the end of the copy, which 3. has put inside the window. SLACK (32 bytes) behind each window covers that. A
 *     copied byte too many is either overwritten by the next sequence or lies behind outEnd, in a page that is not decoded yet.
 *  5. Each turn of the loop takes at least one byte of the input: it ends.
 *  6. Nothing but "the input ended right after literals and the output is full" is success.
 */

import { copy16 } from './copy16'
import { PATTERNS, STRIDES } from './memory'

const MIN_MATCH: usize = 4
/** Token, 14 literals, distance, and the token that must follow. */
const FAST_INPUT: usize = 18
/** 14 literals and a match of 18 bytes. */
const FAST_OUTPUT: usize = 32

// Of each distance 1..15 the shuffle that repeats its bytes over 16, and how far a whole number of repetitions goes.
for (let distance: usize = 1; distance < 16; distance++) {
  for (let i: usize = 0; i < 16; i++) store<u8>(PATTERNS + distance * 16 + i, i % distance)
  store<u8>(STRIDES + distance, 16 - (16 % distance))
}

/** A match of up to 18 bytes. */
// @ts-ignore: decorator
@inline
function copyShort(to: usize, distance: usize): void {
  const from = to - distance
  const first = v128.load(from)
  if (distance >= 16) {
    v128.store(to, first)
    store<u16>(to, load<u16>(from, 16), 16)
  } else {
    v128.store(to, v128.swizzle(first, v128.load(distance << 4, PATTERNS)))
    store<u16>(to, load<u16>(to - <usize>load<u8>(distance, STRIDES), 16), 16)
  }
}

/** True if the block at [inStart, inEnd) is well-formed and fills [out, outEnd) exactly. */
export function decompress(inStart: usize, inEnd: usize, out: usize, outEnd: usize): bool {
  let at = inStart
  let to = out
  while (at < inEnd) {
    while (at <= inEnd - FAST_INPUT) {
      if (to > outEnd - FAST_OUTPUT) break
      const token = <usize>load<u8>(at)
      if (token >= 0xf0) break
      const length = token & 15
      if (length == 15) break
      v128.store(to, v128.load(at, 1))
      const literals = token >>> 4
      const distance = <usize>load<u16>(at + literals, 1)
      at += literals + 3
      to += literals
      if (distance - 1 >= to - out) return false
      copyShort(to, distance)
      to += length + MIN_MATCH
    }

    const token = <usize>load<u8>(at++)
    let length = token >>> 4
    if (length == 15) {
      let more: usize = 255
      while (more == 255) {
        if (at >= inEnd) return false
        more = load<u8>(at++)
        length += more
      }
    }
    if (length > inEnd - at || length > outEnd - to) return false
    copy16(to, at, length)
    at += length
    to += length
    if (at == inEnd) return to == outEnd

    if (inEnd - at < 2) return false
    const distance = <usize>load<u16>(at)
    at += 2
    length = (token & 15) + MIN_MATCH
    if (length == 15 + MIN_MATCH) {
      let more: usize = 255
      while (more == 255) {
        if (at >= inEnd) return false
        more = load<u8>(at++)
        length += more
      }
    }
    if (distance == 0 || distance > to - out || length > outEnd - to) return false
    const end = to + length
    if (distance >= 16) {
      copy16(to, to - distance, length)
    } else {
      const pattern = v128.swizzle(v128.load(to - distance), v128.load(PATTERNS + distance * 16))
      const stride = <usize>load<u8>(STRIDES + distance)
      do {
        v128.store(to, pattern)
        to += stride
      } while (to < end)
    }
    to = end
  }
  // A block ends with literals; an empty one is none.
  return false
}
