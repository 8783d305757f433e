import type { PageSize } from '../page-size.ts'

/*
 * Multiplication by x^(8 * bytes) modulo the CRC polynomial, i.e. what that many zero bytes do to a raw state.
 *
 * A CRC is linear: the raw state after a prefix A and data D is shift(state(A), length of D) ^ raw0(D), where raw0 starts at
 * zero. So one pass over a page's data gives both the file checksum and the page checksum, whose prefixes differ, and
 * checksums of parts that were computed apart can be joined.
 */

/** a * b modulo the polynomial, all (lo, hi) with bit 63 as x^0. */
function multiply(a: Int32Array, b: Int32Array): Int32Array {
  let lo = a[0]!
  let hi = a[1]!
  const out = new Int32Array(2)
  for (let bit = 63; bit >= 0; bit--) {
    const word = bit >= 32 ? b[1]! : b[0]!
    if ((word >>> (bit & 31)) & 1) {
      out[0]! ^= lo
      out[1]! ^= hi
    }
    const carry = -(lo & 1)
    lo = (lo >>> 1) | (hi << 31)
    hi = (hi >>> 1) ^ (carry & 0xd800_0000)
  }
  return out
}

/** x^(8 * bytes) for 0 <= bytes <= 2^53-1, by squaring. */
export function powerOfBytes(bytes: number): Int32Array {
  let square: Int32Array = new Int32Array([0, 1 << 23]) // x^8
  let out: Int32Array = new Int32Array([0, 1 << 31]) // x^0
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) out = multiply(out, square)
    square = multiply(square, square)
  }
  return out
}

/** Multiplies `state` once. For many states of the same distance make a table. */
export function shiftBytes(state: Int32Array, bytes: number): Int32Array {
  return multiply(state, powerOfBytes(bytes))
}

const tables = new Map<PageSize, Int32Array>()

/** For each of 16 nibbles of a state, the 16 products with x^(8 * bytes): 512 words. Made once for each size of pages; not to be changed. */
export function shiftTable(bytes: PageSize): Int32Array {
  const table = tables.get(bytes) ?? makeTable(bytes)
  tables.set(bytes, table)
  return table
}

function makeTable(bytes: number): Int32Array {
  const table = new Int32Array(16 * 16 * 2)
  const factor = powerOfBytes(bytes)
  let lo = factor[0]!
  let hi = factor[1]!
  // From the highest bit down, each is the one before times x. Every entry with that bit in its value gets it.
  for (let bit = 63; bit >= 0; bit--) {
    const nibble = bit >>> 2
    const value = 1 << (bit & 3)
    for (let v = 0; v < 16; v++) {
      if ((v & value) === 0) continue
      const at = (nibble * 16 + v) * 2
      table[at]! ^= lo
      table[at + 1]! ^= hi
    }
    const carry = -(lo & 1)
    lo = (lo >>> 1) | (hi << 31)
    hi = (hi >>> 1) ^ (carry & 0xd800_0000)
  }
  return table
}

/** Multiplies `state` in place by the factor that `table` was made for. */
export function shiftByTable(state: Int32Array, table: Int32Array): void {
  let lo = state[0]!
  let hi = state[1]!
  let outLo = 0
  let outHi = 0
  for (let at = 0; at < 256; at += 32) {
    const i = at + ((lo & 15) << 1)
    const j = 256 + at + ((hi & 15) << 1)
    outLo ^= table[i]! ^ table[j]!
    outHi ^= table[i + 1]! ^ table[j + 1]!
    lo >>>= 4
    hi >>>= 4
  }
  state[0] = outLo
  state[1] = outHi
}
