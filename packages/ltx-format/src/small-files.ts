import { viewOf } from './big-endian.ts'
import { flaggedChecksum } from './checksum.ts'
import { isLTXError } from './errors.ts'
import { PAGE_FLAG_SIZE, PAGE_HEADER_SIZE } from './frame.ts'
import { decodeHeader, HEADER_SIZE } from './header.ts'
import { createKernel, type PageKernel } from './kernel/page-kernel.ts'
import type { MergedInput, MergeGroup } from './merge.ts'
import type { HashedBatch } from './merge-cursor.ts'
import { PageOrder } from './page-order.ts'
import type { Pgno } from './page-size.ts'
import { INDEX_SIZE_SIZE } from './tail.ts'
import { decodeTrailer, TRAILER_SIZE } from './trailer.ts'
import { isSnapshot } from './txid.ts'
import { MAX_VARINT_SIZE, writeEntry } from './varint.ts'

const NOTHING: Uint8Array = new Uint8Array(0)
/** Bytes of pages that are decoded at a time, and of the frames in a batch. */
const BATCH_SIZE = 256 * 1024
/** What is noted of a page: where its frame begins in its file, the frame's size, two words each of its checksum and data's sum. */
const WORDS = 6

/**
 * Small files, each as a whole in memory, as one input of `mergeFiles`: to open a stream for each would cost more than what is in
 * it. Of each page only the newest copy is handed on. Holds the bytes of the files and some 60 for each of their pages.
 */
export class SmallFiles implements MergeGroup {
  readonly files: MergedInput[] = []
  readonly hasPages = true
  #kernel: PageKernel | undefined
  /** The newest copy of each page: its place in the two lists below. */
  readonly #newest = new Map<Pgno, number>()
  /** The file that each copy is from. */
  readonly #sources: Uint8Array[] = []
  #words = new Uint32Array(64 * WORDS)
  /** Page numbers of the file that is being added. */
  readonly #pgnos: Pgno[] = []
  #highest: Pgno = 0
  #index = new Uint8Array(1024)

  /** `kernel`: that of other files, to which no more are added; used if it has the page size of the first file. Default: a new one. */
  constructor(kernel?: PageKernel) {
    this.#kernel = kernel
  }

  /** What the files were decoded with; undefined before the first. */
  get kernel(): PageKernel | undefined {
    return this.#kernel
  }

  /**
   * Takes a file as the newest if it is proven in every way in which a `Decoder` proves it; its bytes must not change any more. False
   * for one that it cannot take: a snapshot, one with frames of the older kind, of another page size, and everything that is
   * damaged, of which a `Decoder` can tell how.
   */
  add(bytes: Uint8Array): boolean {
    const first = this.#sources.length
    let file: MergedInput | undefined
    this.#pgnos.length = 0
    try {
      file = this.#decode(bytes)
    } catch (error) {
      if (!isLTXError(error)) throw error
    }
    if (!file) {
      this.#sources.length = first
      return false
    }
    this.files.push(file)
    this.#truncate(file.header.commit)
    for (const [i, pgno] of this.#pgnos.entries()) {
      const before = this.#newest.get(pgno)
      if (before !== undefined) this.#sources[before] = NOTHING
      this.#newest.set(pgno, first + i)
      if (pgno > this.#highest) this.#highest = pgno
    }
    return true
  }

  async *batches(): AsyncGenerator<HashedBatch, void, undefined> {
    const pgnos = Uint32Array.from(this.#newest.keys()).sort()
    let room = new Uint8Array(0)
    for (let from = 0; from < pgnos.length; ) {
      let size = 0
      let to = from
      while (to < pgnos.length && (size === 0 || size < BATCH_SIZE))
        size += this.#words[this.#at(pgnos[to++]!) + 1]!
      // The batch before was used up.
      if (room.byteLength < size) room = new Uint8Array(size)
      yield this.#batch(pgnos.subarray(from, to), room.subarray(0, size))
      from = to
    }
  }

  /** Where the notes of a page lie. */
  #at(pgno: Pgno): number {
    return this.#newest.get(pgno)! * WORDS
  }

  #batch(pgnos: Uint32Array, frames: Uint8Array): HashedBatch {
    const count = pgnos.length
    const words = this.#words
    const frameSizes = new Uint32Array(count)
    const sums = new Uint32Array(2 * count)
    const dataSums = new Uint32Array(2 * count)
    let end = 0
    for (let i = 0; i < count; i++) {
      const at = this.#at(pgnos[i]!)
      const start = words[at]!
      const frameSize = words[at + 1]!
      frames.set(this.#sources[at / WORDS]!.subarray(start, start + frameSize), end)
      end += frameSize
      frameSizes[i] = frameSize
      sums[2 * i] = words[at + 2]!
      sums[2 * i + 1] = words[at + 3]!
      dataSums[2 * i] = words[at + 4]!
      dataSums[2 * i + 1] = words[at + 5]!
    }
    return { count, pgnos, data: NOTHING, sums, frames, frameSizes, dataSums }
  }

  /** A later file has made the database smaller: what was above is gone, also where it grew again. */
  #truncate(commit: number): void {
    if (this.#highest <= commit) return
    for (const [pgno, slot] of this.#newest) {
      if (pgno <= commit) continue
      this.#newest.delete(pgno)
      this.#sources[slot] = NOTHING
    }
    this.#highest = commit
  }

  /** Notes the pages of a file. Undefined, or an LTXError, if it is not one to take. */
  #decode(bytes: Uint8Array): MergedInput | undefined {
    const header = decodeHeader(bytes)
    const { pageSize } = header
    if (isSnapshot(header)) return undefined
    if (this.files.length === 0 && pageSize !== this.#kernel?.pageSize) {
      this.#kernel = createKernel({ pageSize, batchBytes: BATCH_SIZE })
    }
    const kernel = this.#kernel!
    if (pageSize !== kernel.pageSize) return undefined
    kernel.reset()
    kernel.hash(bytes.subarray(0, HEADER_SIZE))
    const order = new PageOrder(header, undefined)
    let at = HEADER_SIZE
    for (let isEnd = false; !isEnd; ) {
      const some = bytes.subarray(at, at + kernel.frames.byteLength)
      kernel.frames.set(some)
      const { pages, consumed, end } = kernel.decode(some.byteLength, kernel.capacity, true)
      if (pages === 0 && !end) return undefined
      if (!this.#note(bytes, at, pages, order)) return undefined
      at += consumed
      isEnd = end
    }
    order.finish(at - PAGE_HEADER_SIZE)
    const tail = bytes.subarray(at)
    const indexSize = this.#writeIndex()
    const trailerAt = indexSize + INDEX_SIZE_SIZE
    if (tail.byteLength !== trailerAt + TRAILER_SIZE) return undefined
    for (let i = 0; i < indexSize; i++) if (tail[i] !== this.#index[i]) return undefined
    if (viewOf(tail).getBigUint64(indexSize) !== BigInt(indexSize)) return undefined
    const trailer = decodeTrailer(tail.subarray(trailerAt), header, at + trailerAt)
    kernel.hash(tail.subarray(0, trailerAt + 8))
    if (flaggedChecksum(kernel.digest()) !== trailer.fileChecksum) return undefined
    return { header, finish: async () => trailer, close: async () => {} }
  }

  /** Notes the pages that the kernel has just decoded, whose frames begin at `start`. False for a frame of the older kind. */
  #note(bytes: Uint8Array, start: number, count: number, order: PageOrder): boolean {
    const { pgnos, frameSizes, pageSums, dataSums } = this.#kernel!
    this.#reserve(this.#sources.length + count)
    const words = this.#words
    let frameAt = start
    for (let i = 0; i < count; i++) {
      order.admit(pgnos[i]!, frameAt)
      if (bytes[frameAt + 5] !== PAGE_FLAG_SIZE) return false
      const at = this.#sources.push(bytes) * WORDS - WORDS
      words[at] = frameAt
      words[at + 1] = frameSizes[i]!
      words[at + 2] = pageSums[2 * i]!
      words[at + 3] = pageSums[2 * i + 1]!
      words[at + 4] = dataSums[2 * i]!
      words[at + 5] = dataSums[2 * i + 1]!
      this.#pgnos.push(pgnos[i]!)
      frameAt += frameSizes[i]!
    }
    return true
  }

  #reserve(count: number): void {
    if (count * WORDS <= this.#words.length) return
    const grown = new Uint32Array(Math.max(count * WORDS, 2 * this.#words.length))
    grown.set(this.#words)
    this.#words = grown
  }

  /** The index that the file which is being added must have. Returns its size. */
  #writeIndex(): number {
    const count = this.#pgnos.length
    const most = 3 * MAX_VARINT_SIZE * count + 1
    if (this.#index.byteLength < most) this.#index = new Uint8Array(2 * most)
    const index = this.#index
    let at = 0
    for (let i = 0, slot = (this.#sources.length - count) * WORDS; i < count; i++, slot += WORDS) {
      at = writeEntry(index, at, this.#pgnos[i]!, this.#words[slot]!, this.#words[slot + 1]!)
    }
    index[at] = 0
    return at + 1
  }
}
