import { CHECKSUM_FLAG, crc64, encodeHeader, type Header, type Page } from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'
import { PageIndexWriter } from '../src/page-index.ts'
import { xxh32 } from '../src/xxh32.ts'

export interface FrameOptions {
  readonly blockSize?: number
  readonly linked?: boolean
  readonly blockChecksums?: boolean
  readonly contentChecksum?: boolean
  /** Added to the content size that the descriptor states. */
  readonly contentSizeError?: number
  readonly contentSize?: boolean
  readonly stored?: boolean
}

function little(value: number, size: 4 | 8 = 4): Uint8Array {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt32LE(value)
  return bytes
}

/** An LZ4 frame with blocks of `blockSize` bytes (declared as 64 KiB blocks). */
export function lz4Frame(data: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const {
    blockSize = 65536,
    linked,
    blockChecksums,
    contentChecksum,
    contentSize,
    contentSizeError = 0,
    stored,
  } = options
  const flags =
    0x40 |
    (linked ? 0 : 0x20) |
    (blockChecksums ? 0x10 : 0) |
    (contentSize ? 0x08 : 0) |
    (contentChecksum ? 0x04 : 0)
  const descriptor = Buffer.concat([
    Uint8Array.of(flags, 0x40),
    contentSize ? little(data.byteLength + contentSizeError, 8) : new Uint8Array(0),
  ])
  const parts: Uint8Array[] = [
    little(0x184d2204),
    descriptor,
    Uint8Array.of((xxh32(descriptor) >>> 8) & 0xff),
  ]
  for (let at = 0; at < data.byteLength; at += blockSize) {
    const raw = data.subarray(at, at + blockSize)
    const block = stored ? raw : lz4.compressBlock(raw)
    parts.push(little(stored ? (block.byteLength | 0x8000_0000) >>> 0 : block.byteLength), block)
    if (blockChecksums) parts.push(little(xxh32(block)))
  }
  parts.push(little(0))
  if (contentChecksum) parts.push(little(xxh32(data)))
  return Buffer.concat(parts)
}

export function be(value: number | bigint, size: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(size)
  if (size === 4) bytes.writeUInt32BE(Number(value))
  else bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** How a file of handmade frames differs from a right one. */
export interface Handmade {
  readonly index?: Uint8Array
  readonly indexSize?: bigint
  readonly postApplyChecksum?: bigint
}

/** A file put together here from frames and what they stand for, with a right file checksum. */
export function assemble(
  head: Header,
  frames: readonly [frame: Uint8Array, hashed: Uint8Array, pgno: number][],
  more: Handmade = {},
): Uint8Array {
  const start = encodeHeader(head)
  const index = new PageIndexWriter()
  let offset = start.byteLength
  for (const [frame, , pgno] of frames) {
    index.add(pgno, offset, frame.byteLength)
    offset += frame.byteLength
  }
  const indexBytes = more.index ?? index.finish().slice()
  const tail = Buffer.concat([
    Buffer.alloc(6),
    indexBytes,
    be(more.indexSize ?? BigInt(indexBytes.byteLength), 8),
    be(more.postApplyChecksum ?? 0n, 8),
  ])
  const sum = crc64(Buffer.concat([start, ...frames.map(([, hashed]) => hashed), tail])) | CHECKSUM_FLAG
  return Buffer.concat([start, ...frames.map(([frame]) => frame), tail, be(sum, 8)])
}

/** A page of the older kind. */
export function oldFrame({ pgno, data }: Page, options: FrameOptions = {}): [Uint8Array, Uint8Array, number] {
  const head = Buffer.concat([be(pgno, 4), Buffer.alloc(2)])
  return [Buffer.concat([head, lz4Frame(data, options)]), Buffer.concat([head, data]), pgno]
}
