import { copyBytes } from './lz4-copy.ts'

/** log2 of the entries in the match table. */
const HASH_BITS = 13
/** LZ4: the last five bytes are literals, and no match starts in the last 12. Positions are tried in fours. */
const LAST_LITERALS = 5
const TRY_LIMIT = 15
const MIN_MATCH = 4

/** Most bytes that a block of `size` bytes can compress to. */
export function compressBound(size: number): number {
  return size + Math.floor(size / 255) + 16
}

/**
 * The compressor of kernel/lz4-compress.ts, in plain TypeScript: the two give the same bytes, so what is changed here must be
 * changed there, where the way of it is explained.
 */
export class BlockCompressor {
  readonly #table = new Uint16Array(1 << HASH_BITS)
  #base = 0
  /** Where the match of the last successful try begins. */
  #match = 0

  /**
   * Compresses src[start, end) to dst from `out`, where compressBound must fit, and returns the position after it. At most
   * 65536 bytes. `view` is over src. Bytes that do not shrink become one run of literals.
   */
  compress(
    src: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    dst: Uint8Array,
    out: number,
  ): number {
    const size = end - start
    if (this.#base + size > 0x1_0000) {
      this.#table.fill(0)
      this.#base = 0
    }
    const limit = end - TRY_LIMIT
    const last = end - LAST_LITERALS
    let anchor = start
    let to = out
    let at = start + 1
    let misses = 0
    while (at < limit) {
      const next = at + 4
      while (at < next && !this.#try(view, start, at)) at++
      if (at === next) {
        at += misses++ >> 1
        continue
      }
      misses = 0
      let match = this.#match
      const stop = matchEnd(view, match + MIN_MATCH, at + MIN_MATCH, last)
      while (at > anchor && match > start && src[at - 1] === src[match - 1]) {
        at--
        match--
      }
      const token = to
      to = writeLiterals(src, anchor, at, dst, to)
      const offset = at - match
      dst[to++] = offset
      dst[to++] = offset >>> 8
      const length = stop - at - MIN_MATCH
      dst[token]! |= Math.min(length, 15)
      if (length >= 15) to = writeLength(dst, to, length - 15)
      anchor = stop
      at = stop
    }
    this.#base += size
    to = writeLiterals(src, anchor, end, dst, to)
    const longest = out + size + (((size + 240) / 255) | 0) + 1
    return anchor === start || to < longest ? to : writeLiterals(src, start, end, dst, out)
  }

  /** Puts `at` into the table; whether its four bytes are also at the last position with their hash. */
  #try(view: DataView, start: number, at: number): boolean {
    const bytes = view.getInt32(at, true)
    const entry = Math.imul(bytes, 0x9e3779b1) >>> (32 - HASH_BITS)
    const old = this.#table[entry]! - this.#base
    this.#table[entry] = at - start + this.#base
    this.#match = start + Math.max(old, 0)
    return view.getInt32(this.#match, true) === bytes
  }
}

/** Where two stretches, the later of which ends at `end`, differ first; the result is in the later. */
function matchEnd(view: DataView, earlier: number, later: number, end: number): number {
  let a = earlier
  let b = later
  while (b + 4 <= end && view.getInt32(a, true) === view.getInt32(b, true)) {
    a += 4
    b += 4
  }
  while (b < end && view.getUint8(a) === view.getUint8(b)) {
    a++
    b++
  }
  return b
}

/** A token without match length, the length of the run, its bytes. */
function writeLiterals(src: Uint8Array, start: number, end: number, dst: Uint8Array, out: number): number {
  const length = end - start
  let to = out
  if (length < 15) {
    dst[to++] = length << 4
  } else {
    dst[to++] = 0xf0
    to = writeLength(dst, to, length - 15)
  }
  copyBytes(src, start, end, dst, to)
  return to + length
}

function writeLength(dst: Uint8Array, out: number, length: number): number {
  let to = out
  let rest = length
  for (; rest >= 255; rest -= 255) dst[to++] = 255
  dst[to++] = rest
  return to
}
