import { readUint32 } from '../big-endian.ts'
import { appendCrc, finishCrc } from '../crc64.ts'
import { PAGE_HEADER_SIZE } from '../frame.ts'
import type { PageSize } from '../page-size.ts'
import { foldBytes } from './crc64.ts'
import { decodeOldPage, type Windows } from './old-page.ts'
import type { DecodeStep, KernelOptions, PageKernel } from './page-kernel.ts'
import { badPage, PROBLEM } from './problem.ts'
import { instantiate, type KernelExports } from './wasm-module.ts'
import { checkCount, windowSizes } from './windows.ts'

/** Where the windows begin, and the room behind each: HEAP and SLACK of kernel/memory.ts, which a test compares. */
export const HEAP = 131136
export const SLACK = 32

/** The kernel in WebAssembly: all its arrays are views of one memory, which never grows. */
export class WasmKernel implements PageKernel {
  readonly backend = 'wasm'
  declare readonly pageSize: PageSize
  declare readonly capacity: number
  declare readonly pages: Uint8Array
  declare readonly pgnos: Uint32Array
  declare readonly frames: Uint8Array
  declare readonly frameSizes: Uint32Array
  declare readonly pageSums: Uint32Array
  declare readonly dataSums: Uint32Array

  readonly #exports: KernelExports
  readonly #memory: Uint8Array
  readonly #windows: Windows
  /** Raw state of the file checksum. */
  readonly #file: Int32Array
  readonly #result: Uint32Array
  /** Bytes of the file before frames[0], for errors. */
  #offset = 0

  constructor(options: KernelOptions) {
    const { pageSize, capacity, pagesSize, framesSize } = windowSizes(options)
    const words = 4 * capacity
    const pages = HEAP
    const frames = align(pages + pagesSize + SLACK)
    const pageSums = align(frames + framesSize + SLACK)
    const dataSums = pageSums + 2 * words
    const pgnos = dataSums + 2 * words
    const frameSizes = pgnos + words
    const { memory, exports } = instantiate(frameSizes + words)
    const { buffer } = memory
    exports.place(pageSize, pages, pgnos, frames, frameSizes, pageSums, dataSums)

    this.pageSize = pageSize
    this.capacity = capacity
    this.pages = memory.subarray(pages, pages + pagesSize)
    this.frames = memory.subarray(frames, frames + framesSize)
    this.pageSums = new Uint32Array(buffer, pageSums, 2 * capacity)
    this.dataSums = new Uint32Array(buffer, dataSums, 2 * capacity)
    this.pgnos = new Uint32Array(buffer, pgnos, capacity)
    this.frameSizes = new Uint32Array(buffer, frameSizes, capacity)
    this.#exports = exports
    this.#memory = memory
    this.#windows = { memory, pagesAt: pages, framesAt: frames, framesSize, pageSize }
    this.#file = new Int32Array(buffer, exports.FILE_STATE.value, 2)
    this.#result = new Uint32Array(buffer, exports.RESULT.value, 5)
    this.reset()
  }

  reset(): void {
    this.#file.fill(-1)
    this.#offset = 0
  }

  hash(bytes: Uint8Array): void {
    if (bytes.buffer === this.#memory.buffer) this.#exports.hash(bytes.byteOffset, bytes.byteLength)
    else foldBytes(this.#file, bytes)
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
    const size = this.#exports.encode(count, track)
    this.#offset += size
    return size
  }

  decode(available: number, maxPages: number, track: boolean): DecodeStep {
    checkCount(maxPages, this.capacity)
    checkCount(available, this.frames.byteLength, 'bytes of frames')
    const result = this.#result
    let consumed = 0
    let pages = 0
    let hashed = 0
    for (;;) {
      this.#exports.decode(consumed, available, pages, maxPages, track)
      pages = result[0]!
      consumed = result[1]!
      hashed += result[3]!
      const problem = result[4]!
      if (problem === PROBLEM.none) break
      const at = this.#windows.framesAt + consumed
      const offset = this.#offset + consumed
      if (problem !== PROBLEM.oldPage) throw badPage(problem, this.#memory, at, this.pageSize, offset)
      const end = this.#windows.framesAt + available
      const size = decodeOldPage(this.#windows, at, end, pages, offset)
      if (size === 0) break
      this.#exports.hashOldPage(pages, at, track)
      this.pgnos[pages] = readUint32(this.#memory, at)
      this.frameSizes[pages] = size
      pages++
      consumed += size
      hashed += PAGE_HEADER_SIZE + this.pageSize
    }
    this.#offset += consumed
    return { pages, consumed, end: result[2] === 1, hashed }
  }

  checksumPages(count: number): void {
    checkCount(count, this.capacity)
    this.#exports.checksumPages(count)
  }
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64
}
