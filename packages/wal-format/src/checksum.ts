import { HOST_IS_LITTLE_ENDIAN } from './byte-order.ts'

// Up to here, taking the bytes one by one is quicker than making a view of them.
const SHORT = 64

/**
 * SQLite's running checksum (fileformat2.html, section 4.2) over `length` bytes at `offset`. Allocates
 * nothing for headers (up to 64 bytes) and one view for more; whole frames are the business of
 * `FrameScanner`.
 *
 * @param state the two checksum words, read and written; two zeros to begin
 * @param length in bytes, a multiple of 8
 * @param bigEndian how the sum reads its words: true for magic 0x377f0683, false for 0x377f0682
 * @throws RangeError when `length` is no multiple of 8 or the range lies outside `bytes`
 */
export function walChecksum(
  state: Uint32Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
  bigEndian: boolean,
): void {
  if (length % 8 !== 0) throw new RangeError(`checksum length ${length} is not a multiple of 8`)
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
    throw new RangeError(`checksum range ${offset}+${length} lies outside ${bytes.length} bytes`)
  }
  const start = bytes.byteOffset + offset
  if (length <= SHORT) {
    sumBytes(state, bytes, offset, offset + length, bigEndian)
  } else if (start % 4 === 0 && bigEndian !== HOST_IS_LITTLE_ENDIAN) {
    sumWords(state, new Int32Array(bytes.buffer, start, length >>> 2))
  } else {
    sumView(state, new DataView(bytes.buffer, start, length), !bigEndian)
  }
}

function sumBytes(state: Uint32Array, bytes: Uint8Array, from: number, to: number, bigEndian: boolean): void {
  let s1 = state[0]! | 0
  let s2 = state[1]! | 0
  // Exclusive or with 3 turns byte k of a word into byte 3 - k.
  const turn = bigEndian ? 3 : 0
  for (let i = from; i < to; i += 8) {
    s1 = (s1 + word(bytes, i, turn) + s2) | 0
    s2 = (s2 + word(bytes, i + 4, turn) + s1) | 0
  }
  state[0] = s1
  state[1] = s2
}

function word(bytes: Uint8Array, at: number, turn: number): number {
  return (
    bytes[at + turn]! |
    (bytes[at + (1 ^ turn)]! << 8) |
    (bytes[at + (2 ^ turn)]! << 16) |
    (bytes[at + (3 ^ turn)]! << 24)
  )
}

function sumWords(state: Uint32Array, words: Int32Array): void {
  let s1 = state[0]! | 0
  let s2 = state[1]! | 0
  for (let i = 0; i < words.length; i += 2) {
    // Adding the data word first keeps the chain from one step to the next at a single addition.
    s1 = (((s1 + words[i]!) | 0) + s2) | 0
    s2 = (((s2 + words[i + 1]!) | 0) + s1) | 0
  }
  state[0] = s1
  state[1] = s2
}

function sumView(state: Uint32Array, view: DataView, littleEndian: boolean): void {
  let s1 = state[0]! | 0
  let s2 = state[1]! | 0
  for (let i = 0; i < view.byteLength; i += 8) {
    s1 = (((s1 + view.getInt32(i, littleEndian)) | 0) + s2) | 0
    s2 = (((s2 + view.getInt32(i + 4, littleEndian)) | 0) + s1) | 0
  }
  state[0] = s1
  state[1] = s2
}
