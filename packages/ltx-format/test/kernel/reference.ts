/*
 * The checksum, the LZ4 block and the page frame once more, from their definitions, one bit or one byte at a time. Nothing here
 * comes from src: a mistake there cannot be a mistake here too.
 */

/** The two words (low, high) of a raw CRC-64 state; all ones before the first byte of a message. */
export type Words = Uint32Array

/** One bit into a raw state: the polynomial x^64 + x^4 + x^3 + x + 1, reflected, is 0xd800000000000000. */
function step(words: Words): void {
  const out = words[0]! & 1
  words[0] = (words[0]! >>> 1) | (words[1]! << 31)
  words[1] = (words[1]! >>> 1) ^ (out ? 0xd800_0000 : 0)
}

/** Advances a raw state over bytes, bit by bit. */
export function addBits(words: Words, bytes: Uint8Array): void {
  for (const byte of bytes) {
    words[0] = words[0]! ^ byte
    for (let bit = 0; bit < 8; bit++) step(words)
  }
}

/** What each byte value adds once its eight bits are through: the same steps, kept. For references that must run a million times. */
const BYTES = Array.from({ length: 256 }, (_, value) => {
  const words = Uint32Array.of(value, 0)
  for (let bit = 0; bit < 8; bit++) step(words)
  return words
})

/** Advances a raw state over bytes[start, end), byte by byte. */
export function addBytes(words: Words, bytes: Uint8Array, start = 0, end: number = bytes.byteLength): void {
  let low = words[0]!
  let high = words[1]!
  for (let at = start; at < end; at++) {
    const added = BYTES[(low ^ bytes[at]!) & 255]!
    low = ((low >>> 8) | (high << 24)) ^ added[0]!
    high = (high >>> 8) ^ added[1]!
  }
  words[0] = low
  words[1] = high
}

/** The state before any message. */
export function fresh(): Words {
  return Uint32Array.of(0xffff_ffff, 0xffff_ffff)
}

/** The CRC that a raw state stands for. */
export function finished(words: Words): bigint {
  return (BigInt(~words[1]! >>> 0) << 32n) | BigInt(~words[0]! >>> 0)
}

/** CRC-64/GO-ISO, bit by bit. */
export function slowCrc(bytes: Uint8Array): bigint {
  const words = fresh()
  addBits(words, bytes)
  return finished(words)
}

/** CRC-64/GO-ISO, byte by byte. */
export function plainCrc(bytes: Uint8Array): bigint {
  const words = fresh()
  addBytes(words, bytes)
  return finished(words)
}

/**
 * Two words for each bit of a message of `size` bytes, bit 0 of byte 0 first: what flipping that bit changes in the state after
 * it. A bit that comes one earlier goes through one step more.
 */
export function bitEffects(size: number): Uint32Array {
  const effects = new Uint32Array(16 * size)
  const words = Uint32Array.of(1, 0)
  for (let bit = 8 * size - 1; bit >= 0; bit--) {
    step(words)
    effects.set(words, 2 * bit)
  }
  return effects
}

/** How decoding a block ended. */
export interface Decoded {
  /** It is well-formed and fills the window. */
  readonly whole: boolean
  /** End of what was decoded before the first mistake. */
  readonly end: number
}

/** Decodes one LZ4 block to out[start, end), one byte at a time. */
export function decodeBlock(block: Uint8Array, out: Uint8Array, start: number, end: number): Decoded {
  let at = 0
  let to = start
  const lengthOf = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      if (at >= block.byteLength) return -1
      const byte = block[at++]!
      length += byte
      if (byte !== 255) return length
    }
  }
  while (at < block.byteLength) {
    const token = block[at++]!
    const literals = lengthOf(token >> 4)
    if (literals < 0 || at + literals > block.byteLength || to + literals > end) break
    for (let i = 0; i < literals; i++) out[to++] = block[at++]!
    if (at === block.byteLength) return { whole: to === end, end: to }
    if (at + 2 > block.byteLength) break
    const distance = block[at]! + 256 * block[at + 1]!
    at += 2
    const more = lengthOf(token & 15)
    if (more < 0 || distance < 1 || distance > to - start || to + more + 4 > end) break
    for (let i = 0; i < more + 4; i++, to++) out[to] = out[to - distance]!
  }
  return { whole: false, end: to }
}
