import { toChecksum } from './checksum.ts'
import { Crc64 } from './crc64.ts'
import { DatabaseSum } from './database-sum.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE } from './frame.ts'
import { encodeHeader, type Header } from './header.ts'
import { createKernel, type PageKernel } from './kernel/page-kernel.ts'
import { PageIndexWriter } from './page-index.ts'
import { PageOrder } from './page-order.ts'
import type { Pgno } from './page-size.ts'
import { encodeTail } from './tail.ts'
import { isSnapshot } from './txid.ts'

/** The result of a merge, as it grows. */
export class MergedFile {
  readonly header: Header
  readonly #crc = new Crc64()
  readonly #order: PageOrder
  readonly #index = new PageIndexWriter()
  #chunk = new Uint8Array(64 * 1024)
  /** Bytes not taken yet. */
  pending = 0
  #offset = 0
  readonly #sum = new DatabaseSum()
  #kernel: PageKernel | undefined

  /** `smallest`: fewest pages that the database had after any input. Pages above it have grown since and must all be there. */
  constructor(header: Header, smallest: number) {
    this.header = header
    this.#order = new PageOrder(header, smallest)
    const bytes = encodeHeader(header)
    this.#crc.update(bytes)
    this.#append(bytes)
  }

  /** Takes a page: its frame as it is in the source, its data, its checksum (two words). */
  add(pgno: Pgno, source: Uint8Array, data: Uint8Array, sum: Uint32Array): void {
    this.#order.admit(pgno, this.#offset)
    const frame = source[5] === PAGE_FLAG_SIZE ? source : this.#compress(pgno, data)
    this.#crc.update(frame.subarray(0, FRAME_HEADER_SIZE))
    this.#crc.update(data)
    this.#sum.add(sum, 1)
    this.#index.add(pgno, this.#offset, frame.byteLength)
    this.#append(frame)
  }

  /** Everything after the last page. Throws LTXError 'page-missing' or 'checksum-mismatch'. */
  finish(): void {
    this.#order.finish(this.#offset)
    if (isSnapshot(this.header)) this.#sum.expect(this.header.proof?.postApplyChecksum)
    this.#append(encodeTail(this.#index.finish(), toChecksum(0n), this.#crc).bytes)
  }

  /** The bytes since the last call, for the consumer to keep. */
  take(): Uint8Array {
    const bytes = this.#chunk.slice(0, this.pending)
    this.pending = 0
    return bytes
  }

  /** For pages of the older kind, without a size prefix. */
  #compress(pgno: Pgno, data: Uint8Array): Uint8Array {
    const { pageSize } = this.header
    this.#kernel ??= createKernel({ pageSize, batchBytes: pageSize })
    this.#kernel.pages.set(data)
    this.#kernel.pgnos[0] = pgno
    return this.#kernel.frames.subarray(0, this.#kernel.encode(1, false))
  }

  #append(bytes: Uint8Array): void {
    const end = this.pending + bytes.byteLength
    if (end > this.#chunk.byteLength) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#chunk.byteLength))
      grown.set(this.#chunk.subarray(0, this.pending))
      this.#chunk = grown
    }
    this.#chunk.set(bytes, this.pending)
    this.pending = end
    this.#offset += bytes.byteLength
  }
}
