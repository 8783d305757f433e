import { toChecksum } from './checksum.ts'
import { Crc64 } from './crc64.ts'
import { DatabaseSum } from './database-sum.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE } from './frame.ts'
import { encodeHeader, type Header } from './header.ts'
import { createKernel, type PageKernel } from './kernel/page-kernel.ts'
import { shiftTable } from './kernel/shift.ts'
import type { HashedBatch } from './merge-cursor.ts'
import { PageIndexWriter } from './page-index.ts'
import { PageOrder } from './page-order.ts'
import type { Pgno } from './page-size.ts'
import { encodeTail } from './tail.ts'
import { isSnapshot } from './txid.ts'

/** The result of a merge, as it grows. */
export class MergedFile {
  readonly header: Header
  /** The last page added. */
  last: Pgno = 0
  /** Bytes not taken yet. */
  pending = 0
  readonly #crc = new Crc64()
  readonly #shift: Int32Array
  readonly #order: PageOrder
  readonly #index = new PageIndexWriter()
  readonly #sum = new DatabaseSum()
  /** Grows to what the largest chunk needs, and stays. */
  #chunk = new Uint8Array(64 * 1024)
  /** The chunk before, which its consumer may still look at. */
  #taken = new Uint8Array(0)
  /** Where the next frame begins in the file. */
  #offset: number
  #kernel: PageKernel | undefined

  /** `smallest`: fewest pages that the database had after any input. Pages above it have grown since and must all be there. */
  constructor(header: Header, smallest: number) {
    this.header = header
    this.#order = new PageOrder(header, smallest)
    this.#shift = shiftTable(header.pageSize)
    const bytes = encodeHeader(header)
    this.#crc.update(bytes)
    this.#append(bytes)
    this.#offset = bytes.byteLength
  }

  /**
   * Takes pages from..to-1 of a batch, whose frames begin at `frameAt` in batch.frames. Allocates nothing per page: frames that
   * lie side by side are copied at once, and the checksum of the data, which the decoder has computed, is only shifted into
   * its place.
   */
  add(batch: HashedBatch, from: number, to: number, frameAt: number): void {
    const { pgnos, frames, frameSizes, dataSums } = batch
    let at = frameAt
    let copyFrom = frameAt
    for (let i = from; i < to; i++) {
      const pgno = pgnos[i]!
      let size = frameSizes[i]!
      this.#order.admit(pgno, this.#offset)
      if (frames[at + 5] === PAGE_FLAG_SIZE) {
        this.#crc.updateFew(frames, at, at + FRAME_HEADER_SIZE)
        at += size
      } else {
        this.#append(frames.subarray(copyFrom, at))
        const frame = this.#compress(batch, i)
        this.#crc.updateFew(frame, 0, FRAME_HEADER_SIZE)
        this.#append(frame)
        at += size
        copyFrom = at
        size = frame.byteLength
      }
      this.#crc.appendRaw(dataSums[2 * i]!, dataSums[2 * i + 1]!, this.#shift)
      this.#index.add(pgno, this.#offset, size)
      this.#offset += size
    }
    this.#append(frames.subarray(copyFrom, at))
    this.#sum.add(batch.sums, to - from, from)
    this.last = pgnos[to - 1]!
  }

  /** Everything after the last page. Throws LTXError 'page-missing' or 'checksum-mismatch'. */
  finish(): void {
    this.#order.finish(this.#offset)
    if (isSnapshot(this.header)) this.#sum.expect(this.header.proof?.postApplyChecksum)
    this.#append(encodeTail(this.#index.finish(), toChecksum(0n), this.#crc).bytes)
  }

  /** The bytes since the last call: for the consumer to keep, or with `reuse` until the call after the next. */
  take(reuse: boolean): Uint8Array {
    const bytes = this.#chunk.subarray(0, this.pending)
    this.pending = 0
    // A copy costs less than a new array each time, which the system would have to fill with zeros.
    if (!reuse) return bytes.slice()
    ;[this.#chunk, this.#taken] = [this.#taken, this.#chunk]
    return bytes
  }

  /** For pages of the older kind, without a size prefix. */
  #compress({ pgnos, data }: HashedBatch, i: number): Uint8Array {
    const { pageSize } = this.header
    this.#kernel ??= createKernel({ pageSize, batchBytes: pageSize })
    const kernel = this.#kernel
    kernel.pages.set(data.subarray(i * pageSize, (i + 1) * pageSize))
    kernel.pgnos[0] = pgnos[i]!
    return kernel.frames.subarray(0, kernel.encode(1, false))
  }

  #append(bytes: Uint8Array): void {
    const end = this.pending + bytes.byteLength
    if (end > this.#chunk.byteLength) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#chunk.byteLength))
      grown.set(this.#chunk)
      this.#chunk = grown
    }
    this.#chunk.set(bytes, this.pending)
    this.pending = end
  }
}
