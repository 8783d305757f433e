import { copyBytes } from './lz4-copy.ts'

/** Entries of the match table (13-bit hashes). */
const HASH_BITS = 13
/** LZ4: the last match starts at least 12 bytes before the end, the last 5 bytes are literals. */
const MATCH_LIMIT = 12
const LAST_LITERALS = 5
const MIN_MATCH = 4

/** Most bytes that a block of `size` bytes can compress to. */
export function compressBound(size: number): number {
  return size + Math.floor(size / 255) + 16
}

/**
 * Finds matches in pages of one size. The table is not cleared per page: it holds base + offset, the base grows with each page,
 * and entries of earlier pages, being below the base, are clamped to the page's first byte, where an empty table would
 * point too. So the output depends on the page alone. The table is cleared when 16 bits run out.
 */
export class BlockCompressor {
  readonly #table = new Uint16Array(1 << HASH_BITS)
  #base = 0

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
    const table = this.#table
    // Table values minus this are positions in src.
    const shift = this.#base - start
    this.#base += size
    const limit = end - MATCH_LIMIT
    const matchEnd = end - LAST_LITERALS
    const literalsOnly = out + literalSize(size)
    let anchor = start
    let to = out
    let at = start + 1
    let misses = 1 << 6
    while (at <= limit) {
      const four = view.getInt32(at, true)
      const hash = (Math.imul(four, -1640531535) + Math.imul(src[at + 4]!, 0x3d4d51cb)) >>> (32 - HASH_BITS)
      let match = table[hash]! - shift
      if (match < start) match = start
      table[hash] = at + shift
      if (view.getInt32(match, true) !== four) {
        at += misses++ >> 6
        continue
      }
      misses = 1 << 6
      while (at > anchor && match > start && src[at - 1] === src[match - 1]) {
        at--
        match--
      }
      let stop = at + MIN_MATCH
      let probe = match + MIN_MATCH
      while (stop + 4 <= matchEnd && view.getInt32(probe, true) === view.getInt32(stop, true)) {
        stop += 4
        probe += 4
      }
      while (stop < matchEnd && src[stop] === src[probe]) {
        stop++
        probe++
      }
      const token = to
      to = writeLiterals(src, anchor, at, dst, to)
      const offset = at - match
      dst[to++] = offset
      dst[to++] = offset >>> 8
      const length = stop - at - MIN_MATCH
      dst[token] = dst[token]! | Math.min(length, 15)
      if (length >= 15) to = writeLength(dst, to, length - 15)
      anchor = stop
      at = stop
      if (at <= limit) {
        const before = at - 2
        const h =
          (Math.imul(view.getInt32(before, true), -1640531535) + Math.imul(src[before + 4]!, 0x3d4d51cb)) >>>
          (32 - HASH_BITS)
        table[h] = before + shift
      }
    }
    to = writeLiterals(src, anchor, end, dst, to)
    return to < literalsOnly || anchor === start ? to : writeLiterals(src, start, end, dst, out)
  }
}

/** Size of `size` bytes as one run of literals. */
function literalSize(size: number): number {
  return 1 + (size >= 15 ? Math.floor((size - 15) / 255) + 1 : 0) + size
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
