import { dataView, HOST_IS_LITTLE_ENDIAN, swap32 } from './byte-order.ts'
import { WAL_FRAME_HEADER_SIZE } from './frame-header.ts'
import { type WALKernel, WasmWALKernel } from './kernel/wal-kernel.ts'
import type { PageSize, Pgno } from './page-size.ts'

/** Where a scan begins: the state after the last frame that was read, or after the WAL header. */
export interface FrameScannerStart {
  readonly pageSize: PageSize
  readonly bigEndian: boolean
  readonly salt1: number
  readonly salt2: number
  readonly checksum1: number
  readonly checksum2: number
}

/** How a FrameScanner works. */
export interface FrameScannerOptions {
  /** Of the same page size. Frames that lie in its memory are verified at several times the speed. */
  readonly kernel?: WALKernel | undefined
}

/**
 * Called for each valid frame, in order. `commit` is 0 unless the frame ends a transaction;
 * `frameIndex` counts from 0 at the start of the scanned range.
 */
export type FrameVisitor = (pgno: Pgno, commit: number, frameIndex: number) => void

/**
 * Verifies frames that lie back to back: salts, page number and running checksum. This is the hot
 * loop of capture; it allocates nothing per frame, and nothing per call while the caller keeps to one
 * buffer. Offsets that are a multiple of 4 and little-endian checksums take the fast path (on a
 * little-endian machine; on a big-endian one it is the other way round).
 */
export class FrameScanner {
  /** Running checksum after the last valid frame, two words. Live: changes with each scan. */
  readonly checksum: Uint32Array
  /** Running checksum after the last commit frame of the last scan. Meaningless when there was none. */
  readonly commitChecksum: Uint32Array = new Uint32Array(2)
  /** One more than the index of the last commit frame in the last scan; 0 when it found none. */
  lastCommitFrame = 0
  /** Database size in pages after that commit frame; 0 when there was none. */
  commit = 0

  readonly #pageSize: number
  readonly #bigEndian: boolean
  readonly #salt1: number
  readonly #salt2: number
  #buffer: ArrayBufferLike | undefined
  #words: Int32Array = new Int32Array(0)
  readonly #kernel: WasmWALKernel | undefined

  /** Throws RangeError for a kernel of another page size. */
  constructor(start: FrameScannerStart, { kernel }: FrameScannerOptions = {}) {
    if (kernel !== undefined && kernel.pageSize !== start.pageSize) {
      throw new RangeError(`kernel for pages of ${kernel.pageSize} bytes, WAL has ${start.pageSize}`)
    }
    this.#kernel = kernel instanceof WasmWALKernel ? kernel : undefined
    this.#pageSize = start.pageSize
    this.#bigEndian = start.bigEndian
    this.#salt1 = start.salt1 | 0
    this.#salt2 = start.salt2 | 0
    this.checksum = Uint32Array.of(start.checksum1, start.checksum2)
  }

  /**
   * Verifies up to `frames` whole frames of `buffer`, the first one at `offset`, and stops at the
   * first that does not continue the chain.
   *
   * @returns how many frames are valid. The next call goes on after the last of them.
   * @throws RangeError when the range lies outside `buffer`
   */
  scan(buffer: Uint8Array, offset: number, frames: number, visit?: FrameVisitor): number {
    const end = offset + frames * (WAL_FRAME_HEADER_SIZE + this.#pageSize)
    if (!(offset >= 0 && frames >= 0 && end <= buffer.length)) {
      throw new RangeError(`${frames} frames at ${offset} lie outside ${buffer.length} bytes`)
    }
    this.lastCommitFrame = 0
    this.commit = 0
    const start = buffer.byteOffset + offset
    if (this.#kernel?.holds(buffer, offset, end)) return this.#scanKernel(this.#kernel, start, frames, visit)
    if (start % 4 === 0 && this.#bigEndian !== HOST_IS_LITTLE_ENDIAN) {
      if (this.#buffer !== buffer.buffer) {
        this.#buffer = buffer.buffer
        this.#words = new Int32Array(buffer.buffer, 0, buffer.buffer.byteLength >>> 2)
      }
      return this.#scanWords(this.#words, start >>> 2, frames, visit)
    }
    return this.#scanView(dataView(buffer), offset, frames, visit)
  }

  #scanKernel(kernel: WasmWALKernel, at: number, frames: number, visit: FrameVisitor | undefined): number {
    kernel.sum.set(this.checksum)
    const valid = kernel.scan(at, frames, this.#salt1, this.#salt2, this.#bigEndian)
    this.checksum.set(kernel.sum)
    this.lastCommitFrame = kernel.lastCommit[0]!
    this.commit = kernel.lastCommit[1]!
    if (this.lastCommitFrame > 0) this.commitChecksum.set(kernel.commitSum)
    if (visit !== undefined) {
      for (let i = 0; i < valid; i++) visit(kernel.pgnos[i]!, kernel.commits[i]!, i)
    }
    return valid
  }

  #scanWords(words: Int32Array, from: number, frames: number, visit: FrameVisitor | undefined): number {
    const swap = HOST_IS_LITTLE_ENDIAN
    const salt1 = swap ? swap32(this.#salt1) : this.#salt1
    const salt2 = swap ? swap32(this.#salt2) : this.#salt2
    const pageWords = this.#pageSize >>> 2
    let s1 = this.checksum[0]! | 0
    let s2 = this.checksum[1]! | 0
    let at = from
    let index = 0
    for (; index < frames; index++) {
      const word0 = words[at]!
      const word1 = words[at + 1]!
      if (word0 === 0 || words[at + 2]! !== salt1 || words[at + 3]! !== salt2) break
      let a = (((s1 + word0) | 0) + s2) | 0
      let b = (((s2 + word1) | 0) + a) | 0
      const end = at + 6 + pageWords
      for (let i = at + 6; i < end; i += 2) {
        // Adding the data word first keeps the chain from one step to the next at a single addition.
        a = (((a + words[i]!) | 0) + b) | 0
        b = (((b + words[i + 1]!) | 0) + a) | 0
      }
      const stored1 = words[at + 4]!
      const stored2 = words[at + 5]!
      if (a !== (swap ? swap32(stored1) : stored1) || b !== (swap ? swap32(stored2) : stored2)) break
      s1 = a
      s2 = b
      at = end
      const commit = (swap ? swap32(word1) : word1) >>> 0
      if (commit !== 0) this.#committed(index, commit, s1, s2)
      if (visit !== undefined) visit((swap ? swap32(word0) : word0) >>> 0, commit, index)
    }
    this.checksum[0] = s1
    this.checksum[1] = s2
    return index
  }

  #scanView(view: DataView, offset: number, frames: number, visit: FrameVisitor | undefined): number {
    const little = !this.#bigEndian
    let s1 = this.checksum[0]! | 0
    let s2 = this.checksum[1]! | 0
    let at = offset
    let index = 0
    for (; index < frames; index++) {
      const pgno = view.getUint32(at)
      if (pgno === 0 || view.getInt32(at + 8) !== this.#salt1 || view.getInt32(at + 12) !== this.#salt2) break
      let a = (((s1 + view.getInt32(at, little)) | 0) + s2) | 0
      let b = (((s2 + view.getInt32(at + 4, little)) | 0) + a) | 0
      const end = at + WAL_FRAME_HEADER_SIZE + this.#pageSize
      for (let i = at + WAL_FRAME_HEADER_SIZE; i < end; i += 8) {
        a = (((a + view.getInt32(i, little)) | 0) + b) | 0
        b = (((b + view.getInt32(i + 4, little)) | 0) + a) | 0
      }
      if (a !== view.getInt32(at + 16) || b !== view.getInt32(at + 20)) break
      s1 = a
      s2 = b
      const commit = view.getUint32(at + 4)
      at = end
      if (commit !== 0) this.#committed(index, commit, s1, s2)
      if (visit !== undefined) visit(pgno, commit, index)
    }
    this.checksum[0] = s1
    this.checksum[1] = s2
    return index
  }

  #committed(index: number, commit: number, s1: number, s2: number): void {
    this.lastCommitFrame = index + 1
    this.commit = commit
    this.commitChecksum[0] = s1
    this.commitChecksum[1] = s2
  }
}
