import { readUint32, viewOf, writeUint32 } from '../big-endian.ts'
import { appendCrc, finishCrc } from '../crc64.ts'
import type { LTXError } from '../errors.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE, PAGE_HEADER_SIZE } from '../frame.ts'
import type { PageSize } from '../page-size.ts'
import { foldBytes, foldFewBytes, foldWords } from './crc64.ts'
import { BlockCompressor, compressBound } from './lz4-compress.ts'
import { decompress } from './lz4-decompress.ts'
import { decodeOldPage, type Windows } from './old-page.ts'
import type { DecodeStep, KernelOptions, PageKernel } from './page-kernel.ts'
import { badPage, PROBLEM } from './problem.ts'
import { shiftByTable, shiftTable } from './shift.ts'
import { checkCount, windowSizes } from './windows.ts'

/** The kernel in plain TypeScript. */
export class JsKernel implements PageKernel {
  readonly backend = 'js'
  declare readonly pageSize: PageSize
  declare readonly capacity: number
  declare readonly pages: Uint8Array
  declare readonly pgnos: Uint32Array
  declare readonly frames: Uint8Array
  declare readonly frameSizes: Uint32Array
  declare readonly pageSums: Uint32Array
  declare readonly dataSums: Uint32Array

  /** Pages, then frames: one array, because copies inside one array need no allocation. */
  readonly #memory: Uint8Array
  readonly #view: DataView
  readonly #words: Int32Array
  readonly #framesAt: number
  readonly #windows: Windows
  readonly #compressor = new BlockCompressor()
  /** Raw state of the file checksum. */
  readonly #file = new Int32Array([-1, -1])
  readonly #page = new Int32Array(2)
  readonly #data = new Int32Array(2)
  readonly #shift: Int32Array
  /** Bytes of the file before frames[0], for errors. */
  #offset = 0

  constructor(options: KernelOptions) {
    const { pageSize, capacity, pagesSize, framesSize } = windowSizes(options)
    this.pageSize = pageSize
    this.capacity = capacity
    this.#framesAt = pagesSize
    this.#memory = new Uint8Array(pagesSize + framesSize)
    this.#windows = { memory: this.#memory, pageSize, pagesAt: 0, framesAt: pagesSize, framesSize }
    this.#view = viewOf(this.#memory)
    this.pages = this.#memory.subarray(0, this.#framesAt)
    this.frames = this.#memory.subarray(this.#framesAt)
    this.#words = new Int32Array(this.#memory.buffer, 0, this.#framesAt / 4)
    this.pgnos = new Uint32Array(this.capacity)
    this.frameSizes = new Uint32Array(this.capacity)
    this.pageSums = new Uint32Array(this.capacity * 2)
    this.dataSums = new Uint32Array(this.capacity * 2)
    this.#shift = shiftTable(pageSize)
  }

  reset(): void {
    this.#file.fill(-1)
    this.#offset = 0
  }

  hash(bytes: Uint8Array): void {
    foldBytes(this.#file, bytes)
    this.#offset += bytes.byteLength
  }

  append(crc: bigint, length: number): void {
    appendCrc(this.#file, crc, length)
    this.#offset += length
  }

  digest(): bigint {
    return finishCrc(this.#file)
  }

  encode(count: number, track: boolean): number {
    checkCount(count, this.capacity)
    const memory = this.#memory
    let at = this.#framesAt
    for (let i = 0; i < count; i++) {
      const start = i * this.pageSize
      const data = at + FRAME_HEADER_SIZE
      const end = this.#compressor.compress(memory, this.#view, start, start + this.pageSize, memory, data)
      writeUint32(memory, at, this.pgnos[i]!)
      memory[at + 4] = 0
      memory[at + 5] = PAGE_FLAG_SIZE
      writeUint32(memory, at + PAGE_HEADER_SIZE, end - data)
      foldFewBytes(this.#file, memory, at, data)
      this.#hashPage(i, at, track)
      this.frameSizes[i] = end - at
      at = end
    }
    const size = at - this.#framesAt
    this.#offset += size
    return size
  }

  decode(available: number, maxPages: number, track: boolean): DecodeStep {
    checkCount(maxPages, this.capacity)
    checkCount(available, this.frames.byteLength, 'bytes of frames')
    const end = this.#framesAt + available
    let at = this.#framesAt
    let count = 0
    let hashed = 0
    let ended = false
    while (count < maxPages && at + PAGE_HEADER_SIZE <= end) {
      if (this.#isEndMark(at)) {
        foldFewBytes(this.#file, this.#memory, at, at + PAGE_HEADER_SIZE)
        at += PAGE_HEADER_SIZE
        hashed += PAGE_HEADER_SIZE
        ended = true
        break
      }
      const size = this.#decodePage(at, end, count)
      if (size === 0) break
      this.pgnos[count] = readUint32(this.#memory, at)
      this.#hashPage(count, at, track)
      this.frameSizes[count] = size
      hashed += this.pageSize + (this.#memory[at + 5] === 0 ? PAGE_HEADER_SIZE : FRAME_HEADER_SIZE)
      at += size
      count++
    }
    const consumed = at - this.#framesAt
    this.#offset += consumed
    return { pages: count, consumed, end: ended, hashed }
  }

  checksumPages(count: number): void {
    checkCount(count, this.capacity)
    const perPage = this.pageSize / 4
    for (let i = 0; i < count; i++) {
      this.#startPage(this.pgnos[i]!)
      foldWords(this.#page, this.#words, i * perPage, perPage)
      this.#storePageSum(i)
    }
  }

  #isEndMark(at: number): boolean {
    const memory = this.#memory
    return readUint32(memory, at) === 0 && memory[at + 4] === 0 && memory[at + 5] === 0
  }

  /** Decompresses the frame at `at` into page slot `index` and hashes its header. Returns its size, 0 if it is not whole. */
  #decodePage(at: number, end: number, index: number): number {
    const memory = this.#memory
    if (readUint32(memory, at) === 0) throw this.#badPage(PROBLEM.pgnoZero, at)
    const flags = (memory[at + 4]! << 8) | memory[at + 5]!
    if (flags === 0) {
      const size = decodeOldPage(this.#windows, at, end, index, this.#offset + at - this.#framesAt)
      if (size > 0) foldFewBytes(this.#file, memory, at, at + PAGE_HEADER_SIZE)
      return size
    }
    if (flags !== PAGE_FLAG_SIZE) throw this.#badPage(PROBLEM.unknownFlags, at)
    const data = at + FRAME_HEADER_SIZE
    if (data > end) return 0
    const size = readUint32(memory, at + PAGE_HEADER_SIZE)
    if (size > compressBound(this.pageSize)) throw this.#badPage(PROBLEM.tooLong, at)
    if (data + size > end) return 0
    const out = index * this.pageSize
    const outEnd = out + this.pageSize
    if (decompress(memory, this.#view, data, data + size, memory, this.#view, out, outEnd, out) !== outEnd) {
      throw this.#badPage(PROBLEM.badBlock, at)
    }
    foldFewBytes(this.#file, memory, at, data)
    return FRAME_HEADER_SIZE + size
  }

  #badPage(problem: number, at: number): LTXError {
    return badPage(problem, this.#memory, at, this.pageSize, this.#offset + at - this.#framesAt)
  }

  /** Puts the state after the page number, big-endian, into #page. */
  #startPage(pgno: number): void {
    const swapped = (pgno << 24) | ((pgno & 0xff00) << 8) | ((pgno >>> 8) & 0xff00) | (pgno >>> 24)
    // All four bytes in one step: the low word moves out and comes back folded, the high word (all ones) becomes the low one.
    let hi = ~swapped
    let lo = hi << 29
    hi ^= hi >>> 3
    lo ^= (lo >>> 1) | (hi << 31)
    hi ^= hi >>> 1
    this.#page[0] = ~lo
    this.#page[1] = hi
  }

  /** Adds page slot `index` to the file checksum; with `track` also computes its page checksum, from the same pass. */
  #hashPage(index: number, at: number, track: boolean): void {
    const perPage = this.pageSize / 4
    if (!track) {
      foldWords(this.#file, this.#words, index * perPage, perPage)
      return
    }
    const data = this.#data
    data[0] = 0
    data[1] = 0
    foldWords(data, this.#words, index * perPage, perPage)
    shiftByTable(this.#file, this.#shift)
    this.#file[0]! ^= data[0]!
    this.#file[1]! ^= data[1]!
    this.dataSums[2 * index] = data[0]!
    this.dataSums[2 * index + 1] = data[1]!
    this.#startPage(readUint32(this.#memory, at))
    shiftByTable(this.#page, this.#shift)
    this.#page[0]! ^= data[0]!
    this.#page[1]! ^= data[1]!
    this.#storePageSum(index)
  }

  #storePageSum(index: number): void {
    this.pageSums[2 * index] = ~this.#page[0]!
    this.pageSums[2 * index + 1] = ~this.#page[1]! | 0x8000_0000
  }
}
