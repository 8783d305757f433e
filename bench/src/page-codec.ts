import { checksumPage, crc64, createKernel, type PageKernel } from '@sqlstream/ltx'
import { compressSync, uncompressSync } from 'lz4-napi'

export const PAGE_SIZE = 4096
const FRAME_HEADER_SIZE = 10
/** LZ4 makes a page that cannot be compressed a little longer. */
const LARGEST_FRAME = FRAME_HEADER_SIZE + PAGE_SIZE + 64
/** Pages a batch: as many as a kernel holds by default. */
const BATCH = 256

/** What is written into memory of its own before it is measured, and what a codec makes of it. */
export interface PageBuffers {
  /** Whole pages, numbered from 1. */
  readonly pages: Buffer
  /** Their frames, one after another. */
  readonly frames: Buffer
  /** Where each batch of frames ends. */
  readonly ends: number[]
  /** Where decoded pages go. */
  readonly decoded: Buffer
}

/** The work on pages that LTX asks for: LZ4 blocks in frames, CRC-64 of the file, CRC-64 of each page. */
export interface PageCodec {
  readonly name: string
  /** Pages to frames. Returns the checksum of the file. */
  encode(buffers: PageBuffers): bigint
  /** Frames to pages. Returns the checksum of the file. */
  decode(buffers: PageBuffers): bigint
}

export function pageBuffers(pages: Buffer): PageBuffers {
  const frames = Buffer.alloc((pages.length / PAGE_SIZE) * LARGEST_FRAME)
  return { pages, frames, ends: [], decoded: Buffer.alloc(pages.length) }
}

/** A kernel of ours, between buffers that are not its own: each byte is copied into its memory and out of it. */
export class KernelCodec implements PageCodec {
  readonly name: string
  readonly #kernel: PageKernel
  readonly #track: boolean

  /** @param track compute checksums of pages, beside that of the file */
  constructor(name: string, backend: 'js' | 'wasm', track = true) {
    this.name = name
    this.#kernel = createKernel({ pageSize: PAGE_SIZE, batchBytes: BATCH * PAGE_SIZE, backend })
    this.#track = track
  }

  encode({ pages, frames, ends }: PageBuffers): bigint {
    const kernel = this.#kernel
    kernel.reset()
    ends.length = 0
    let at = 0
    for (let from = 0; from < pages.length; from += kernel.pages.length) {
      const part = pages.subarray(from, from + kernel.pages.length)
      const count = part.length / PAGE_SIZE
      kernel.pages.set(part)
      for (let i = 0; i < count; i++) kernel.pgnos[i] = from / PAGE_SIZE + i + 1
      const size = kernel.encode(count, this.#track)
      frames.set(kernel.frames.subarray(0, size), at)
      at += size
      ends.push(at)
    }
    return kernel.digest()
  }

  decode({ frames, ends, decoded }: PageBuffers): bigint {
    const kernel = this.#kernel
    kernel.reset()
    let at = 0
    let to = 0
    for (const end of ends) {
      kernel.frames.set(frames.subarray(at, end))
      const { pages, consumed } = kernel.decode(end - at, kernel.capacity, this.#track)
      if (consumed !== end - at) throw new Error('a frame of the batch is not whole')
      decoded.set(kernel.pages.subarray(0, pages * PAGE_SIZE), to)
      to += pages * PAGE_SIZE
      at = end
    }
    return kernel.digest()
  }
}

/** The native addon lz4-napi, block by block, with checksums in JavaScript: what one would write without a kernel. */
export class AddonCodec implements PageCodec {
  readonly name = 'lz4-napi, checksums in JavaScript'
  /** It wants the size of the page before each block, little-endian. */
  readonly #block = Buffer.alloc(4 + LARGEST_FRAME)
  /** Checksums of pages, so that they are not computed for nothing. */
  #sums = 0n

  constructor() {
    this.#block.writeUInt32LE(PAGE_SIZE)
  }

  encode({ pages, frames, ends }: PageBuffers): bigint {
    ends.length = 0
    let crc = 0n
    let at = 0
    for (let from = 0; from < pages.length; from += PAGE_SIZE) {
      const page = pages.subarray(from, from + PAGE_SIZE)
      const block = compressSync(page).subarray(4)
      const pgno = from / PAGE_SIZE + 1
      frames.writeUInt32BE(pgno, at)
      frames.writeUInt16BE(1, at + 4)
      frames.writeUInt32BE(block.length, at + 6)
      frames.set(block, at + FRAME_HEADER_SIZE)
      crc = this.#hash(frames.subarray(at, at + FRAME_HEADER_SIZE), pgno, page, crc)
      at += FRAME_HEADER_SIZE + block.length
      if (pgno % BATCH === 0 || from + PAGE_SIZE === pages.length) ends.push(at)
    }
    return crc
  }

  decode({ frames, ends, decoded }: PageBuffers): bigint {
    const end = ends.at(-1) ?? 0
    let crc = 0n
    let to = 0
    for (let at = 0; at < end; ) {
      const size = frames.readUInt32BE(at + 6)
      const data = at + FRAME_HEADER_SIZE
      this.#block.set(frames.subarray(data, data + size), 4)
      const page = uncompressSync(this.#block.subarray(0, 4 + size))
      decoded.set(page, to)
      crc = this.#hash(frames.subarray(at, data), frames.readUInt32BE(at), page, crc)
      to += PAGE_SIZE
      at = data + size
    }
    return crc
  }

  #hash(header: Buffer, pgno: number, page: Buffer, crc: bigint): bigint {
    this.#sums ^= checksumPage({ pgno, data: page })
    return crc64(page, crc64(header, crc))
  }
}
