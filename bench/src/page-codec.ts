import { checksumPage, crc64, createKernel, type PageKernel } from '@sqlstream/ltx'
import { compressSync, uncompressSync } from 'lz4-napi'

export const PAGE_SIZE = 4096
/** Pages that are encoded or decoded together: as many as a kernel holds by default. */
export const BATCH_PAGES = 256
export const BATCH_SIZE = BATCH_PAGES * PAGE_SIZE
const FRAME_HEADER_SIZE = 10
/** LZ4 makes a page that cannot be compressed a little longer. */
const LARGEST_FRAME = FRAME_HEADER_SIZE + PAGE_SIZE + 64

/** Takes one batch of results, which is valid during the call: like a file that it is written to. */
export type Sink = (bytes: Buffer) => void

/** The work on pages that LTX asks for: LZ4 blocks in frames, CRC-64 of the file, CRC-64 of each page. */
export interface PageCodec {
  /** Whole batches of pages, numbered from 1, to frames. Returns the checksum of the file. */
  encode(pages: Buffer, sink: Sink): bigint
  /** Batches of frames to pages. Returns the checksum of the file. */
  decode(batches: readonly Buffer[], sink: Sink): bigint
}

/** Cuts the frames of a file into batches. */
export function batchesOf(frames: Buffer): Buffer[] {
  const batches: Buffer[] = []
  let start = 0
  let pages = 0
  for (let at = 0; at < frames.length; ) {
    at += FRAME_HEADER_SIZE + frames.readUInt32BE(at + 6)
    pages++
    if (pages % BATCH_PAGES > 0) continue
    batches.push(frames.subarray(start, at))
    start = at
  }
  return batches
}

/** The batches that a codec makes of these pages, and their checksum. */
export function encodeAll(codec: PageCodec, pages: Buffer): { batches: Buffer[]; checksum: bigint } {
  const batches: Buffer[] = []
  const checksum = codec.encode(pages, (frames) => batches.push(Buffer.from(frames)))
  return { batches, checksum }
}

/** @throws Error unless the codec makes these pages of these frames, and this checksum */
export function proveDecode(
  codec: PageCodec,
  { batches, checksum }: { readonly batches: readonly Buffer[]; readonly checksum: bigint },
  pages: Buffer,
): void {
  let at = 0
  const actual = codec.decode(batches, (decoded) => {
    if (!decoded.equals(pages.subarray(at, at + decoded.length))) throw new Error('other pages were decoded')
    at += decoded.length
  })
  if (at !== pages.length || actual !== checksum) throw new Error('not all was decoded')
}

/** A kernel of ours, between buffers that are not its own: each byte is copied into its memory and out of it. */
export class KernelCodec implements PageCodec {
  readonly #kernel: PageKernel
  readonly #output = Buffer.alloc(BATCH_PAGES * LARGEST_FRAME)

  constructor(backend: 'js' | 'wasm') {
    this.#kernel = createKernel({ pageSize: PAGE_SIZE, batchBytes: BATCH_SIZE, backend })
  }

  encode(pages: Buffer, sink: Sink): bigint {
    const kernel = this.#kernel
    kernel.reset()
    for (let at = 0; at < pages.length; at += BATCH_SIZE) {
      kernel.pages.set(pages.subarray(at, at + BATCH_SIZE))
      for (let i = 0; i < BATCH_PAGES; i++) kernel.pgnos[i] = at / PAGE_SIZE + i + 1
      const size = kernel.encode(BATCH_PAGES, true)
      this.#output.set(kernel.frames.subarray(0, size))
      sink(this.#output.subarray(0, size))
    }
    return kernel.digest()
  }

  decode(batches: readonly Buffer[], sink: Sink): bigint {
    const kernel = this.#kernel
    kernel.reset()
    for (const batch of batches) {
      kernel.frames.set(batch)
      const { pages } = kernel.decode(batch.length, kernel.capacity, true)
      const size = pages * PAGE_SIZE
      this.#output.set(kernel.pages.subarray(0, size))
      sink(this.#output.subarray(0, size))
    }
    return kernel.digest()
  }
}

/** The native addon lz4-napi, block by block, with checksums in JavaScript: what one would write without a kernel. */
export class AddonCodec implements PageCodec {
  readonly #output = Buffer.alloc(BATCH_PAGES * LARGEST_FRAME)
  /** The addon wants the size of the page before each block, little-endian. */
  readonly #block = Buffer.alloc(4 + LARGEST_FRAME)
  /** Of page checksums, so that they are not computed for nothing. */
  #sum = 0n

  constructor() {
    this.#block.writeUInt32LE(PAGE_SIZE)
  }

  encode(pages: Buffer, sink: Sink): bigint {
    const output = this.#output
    let crc = 0n
    let to = 0
    for (let at = 0; at < pages.length; at += PAGE_SIZE) {
      const page = pages.subarray(at, at + PAGE_SIZE)
      const block = compressSync(page).subarray(4)
      const pgno = at / PAGE_SIZE + 1
      output.writeUInt32BE(pgno, to)
      output.writeUInt16BE(1, to + 4)
      output.writeUInt32BE(block.length, to + 6)
      const data = to + FRAME_HEADER_SIZE
      output.set(block, data)
      crc = this.#hash(output.subarray(to, data), pgno, page, crc)
      to = data + block.length
      if (pgno % BATCH_PAGES > 0) continue
      sink(output.subarray(0, to))
      to = 0
    }
    return crc
  }

  decode(batches: readonly Buffer[], sink: Sink): bigint {
    let crc = 0n
    for (const batch of batches) {
      let to = 0
      for (let at = 0; at < batch.length; to += PAGE_SIZE) {
        const data = at + FRAME_HEADER_SIZE
        const end = data + batch.readUInt32BE(at + 6)
        this.#block.set(batch.subarray(data, end), 4)
        const page = uncompressSync(this.#block.subarray(0, 4 + end - data))
        this.#output.set(page, to)
        crc = this.#hash(batch.subarray(at, data), batch.readUInt32BE(at), page, crc)
        at = end
      }
      sink(this.#output.subarray(0, to))
    }
    return crc
  }

  #hash(header: Buffer, pgno: number, page: Buffer, crc: bigint): bigint {
    this.#sum ^= checksumPage({ pgno, data: page })
    return crc64(page, crc64(header, crc))
  }
}
