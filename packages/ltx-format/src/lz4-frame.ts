import { viewOf } from './big-endian.ts'
import { LTXError } from './errors.ts'
import { decompress } from './kernel/lz4-decompress.ts'
import { xxh32 } from './xxh32.ts'

/*
 * LZ4 frames (format 1.6): magic, descriptor, blocks, end mark, checksums, all little-endian. Old LTX pages and the files of
 * Litestream 0.3 are such frames. Dictionaries and skippable frames, which neither uses, are refused.
 */

const MAGIC = 0x184d2204
/** Bit of a block's size: the block is stored as it is. */
export const UNCOMPRESSED = 0x8000_0000
/** Most bytes before the first block. */
export const DESCRIPTOR_SIZE = 15

/** What stands before the blocks. */
export interface Descriptor {
  /** Matches may reach into earlier blocks. */
  readonly linked: boolean
  readonly blockChecksums: boolean
  readonly contentChecksum: boolean
  readonly contentSize: number | undefined
  readonly maxBlockSize: number
  /** Position of the first block. */
  readonly blocks: number
}

/** The error for a frame that is malformed at `offset`. */
export function badFrame(message: string, offset: number): LTXError {
  return new LTXError('bad-page', `LZ4 frame: ${message}`, { offset })
}

/** The unsigned number at `at`. */
export function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** The descriptor in src[start, end); undefined if it is not whole yet. Throws LTXError 'bad-page'. */
export function readDescriptor(src: Uint8Array, start: number, end: number): Descriptor | undefined {
  if (start + 7 > end) return undefined
  if (read32(src, start) !== MAGIC) throw badFrame('wrong magic number', start)
  const flags = src[start + 4]!
  const block = src[start + 5]!
  if (flags >>> 6 !== 1 || (flags & 0x02) !== 0) throw badFrame('unknown version', start + 4)
  if ((flags & 0x01) !== 0) throw badFrame('dictionaries are not supported', start + 4)
  const sizeCode = (block >>> 4) & 7
  if ((block & 0x8f) !== 0 || sizeCode < 4) throw badFrame('unknown block size', start + 5)
  const hasSize = (flags & 0x08) !== 0
  const check = start + 6 + (hasSize ? 8 : 0)
  if (check >= end) return undefined
  if (src[check] !== ((xxh32(src.subarray(start + 4, check)) >>> 8) & 0xff))
    throw badFrame('descriptor checksum differs', check)
  const sizeHigh = hasSize ? read32(src, start + 10) : 0
  if (sizeHigh > 0x1f_ffff) throw badFrame('content size exceeds 2^53', start + 6)
  return {
    linked: (flags & 0x20) === 0,
    blockChecksums: (flags & 0x10) !== 0,
    contentChecksum: (flags & 0x04) !== 0,
    contentSize: hasSize ? sizeHigh * 2 ** 32 + read32(src, start + 6) : undefined,
    maxBlockSize: 1 << (8 + 2 * sizeCode),
    blocks: check + 1,
  }
}

/** Length of the frame at `start`, -1 if it does not end before `end`. Throws LTXError 'bad-page'. */
export function frameLength(src: Uint8Array, start: number, end: number): number {
  const frame = readDescriptor(src, start, end)
  if (!frame) return -1
  let at = frame.blocks
  while (at + 4 <= end) {
    const head = read32(src, at)
    const size = (head & ~UNCOMPRESSED) >>> 0
    if (size > frame.maxBlockSize || head === UNCOMPRESSED) throw badFrame(`block of ${size} bytes`, at)
    if (head === 0) {
      const stop = at + 4 + (frame.contentChecksum ? 4 : 0)
      return stop <= end ? stop - start : -1
    }
    at += 4 + size + (frame.blockChecksums ? 4 : 0)
  }
  return -1
}

/** Where a frame's content goes: makes room for `more` bytes from `out` on and returns the array that has it. */
type Room = (out: number, more: number) => Uint8Array

/** Decodes a frame that frameLength has measured; returns the position after the content. */
function decodeBlocks(src: Uint8Array, start: number, end: number, first: number, room: Room): number {
  const frame = readDescriptor(src, start, end)!
  let at = frame.blocks
  let out = first
  let dst = room(out, 0)
  for (;;) {
    const head = read32(src, at)
    const size = (head & ~UNCOMPRESSED) >>> 0
    at += 4
    if (size === 0) break
    if (frame.blockChecksums && xxh32(src.subarray(at, at + size)) !== read32(src, at + size)) {
      throw badFrame('block checksum differs', at)
    }
    if (head >= UNCOMPRESSED) {
      dst = room(out, size)
      if (out + size > dst.byteLength) throw badFrame('content is too long', at)
      dst.set(src.subarray(at, at + size), out)
      out += size
    } else {
      dst = room(out, frame.maxBlockSize)
      const low = frame.linked ? Math.max(first, out - 0xffff) : out
      const outEnd = Math.min(dst.byteLength, out + frame.maxBlockSize)
      out = decompress(src, viewOf(src), at, at + size, dst, viewOf(dst), out, outEnd, low)
      if (out < 0) throw badFrame('malformed block', at)
    }
    at += size + (frame.blockChecksums ? 4 : 0)
  }
  if (frame.contentSize !== undefined && frame.contentSize !== out - first)
    throw badFrame('content size differs', at)
  if (frame.contentChecksum && xxh32(dst.subarray(first, out)) !== read32(src, at)) {
    throw badFrame('content checksum differs', at)
  }
  return out
}

/** Decodes the whole frame src[start, end) into exactly dst[out, outEnd). Throws LTXError 'bad-page'. */
export function decompressFrameInto(
  src: Uint8Array,
  start: number,
  end: number,
  dst: Uint8Array,
  out: number,
  outEnd: number,
): void {
  const window = dst.subarray(out, outEnd)
  const stop = decodeBlocks(src, start, end, 0, () => window)
  if (stop !== window.byteLength) throw badFrame(`content has ${stop} of ${window.byteLength} bytes`, start)
}

/** Limit of decompressFrame. */
export interface DecompressFrameOptions {
  /** Longest content accepted, in bytes. Default 2^31 - 1. */
  readonly maxSize?: number
}

/**
 * Decodes exactly one LZ4 frame, independent or linked blocks, and verifies whatever checksums it has. Throws LTXError
 * 'truncated' if it does not end, 'bad-page' if it is malformed, followed by other bytes, or longer than maxSize.
 */
export function decompressFrame(input: Uint8Array, options: DecompressFrameOptions = {}): Uint8Array {
  const { maxSize = 0x7fff_ffff } = options
  const length = frameLength(input, 0, input.byteLength)
  if (length < 0) throw new LTXError('truncated', 'LZ4 frame is cut off', { offset: input.byteLength })
  if (length < input.byteLength) throw badFrame('followed by other bytes', length)
  let dst = new Uint8Array(Math.min(maxSize, Math.max(1024, input.byteLength * 3)))
  const room: Room = (out, more) => {
    if (out + more > dst.byteLength && dst.byteLength < maxSize) {
      const grown = new Uint8Array(Math.min(maxSize, Math.max(out + more, dst.byteLength * 2)))
      grown.set(dst.subarray(0, out))
      dst = grown
    }
    return dst
  }
  const size = decodeBlocks(input, 0, length, 0, room)
  return dst.slice(0, size)
}
