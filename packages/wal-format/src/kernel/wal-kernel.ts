import { swap32 } from '../byte-order.ts'
import { WAL_FRAME_HEADER_SIZE } from '../frame-header.ts'
import { isPageSize, type PageSize } from '../page-size.ts'
import { instantiate, type KernelExports } from './wasm-module.ts'

/** Size and kind of a WAL kernel. */
export interface WALKernelOptions {
  readonly pageSize: PageSize
  /** Room for frames, in bytes, rounded down to whole frames, at least one. Default 1 MiB. */
  readonly bytes?: number | undefined
  /**
   * `wasm`: WebAssembly with SIMD. `js`: the frames are verified by plain JavaScript, at a third of the speed. `auto` (default):
   * `wasm`, or `js` where the platform has none or a Content-Security-Policy forbids it.
   */
  readonly backend?: 'auto' | 'wasm' | 'js' | undefined
}

/** Memory in which a FrameScanner verifies frames with one call: read the WAL straight into `frames`. It never grows or moves. */
export interface WALKernel {
  readonly backend: 'js' | 'wasm'
  readonly pageSize: PageSize
  /** Whole frames fit. 8-byte aligned. */
  readonly frames: Uint8Array
}

/**
 * A WAL kernel for one page size. Throws RangeError if the page size is none or `bytes` is not in 0..2^30, and what the platform
 * throws if `wasm` is asked for and cannot be had.
 */
export function createWALKernel(options: WALKernelOptions): WALKernel {
  const { pageSize, bytes = 1024 * 1024, backend = 'auto' } = options
  if (!isPageSize(pageSize)) throw new RangeError(`page size ${pageSize} is not a power of two in 512..65536`)
  if (!(bytes >= 0 && bytes <= 2 ** 30)) throw new RangeError(`bytes ${bytes} is not in 0..2^30`)
  const count = Math.max(1, Math.floor(bytes / (WAL_FRAME_HEADER_SIZE + pageSize)))
  if (backend === 'js') return plainKernel(pageSize, count)
  if (backend === 'wasm') return new WasmWALKernel(pageSize, count)
  try {
    return new WasmWALKernel(pageSize, count)
  } catch {
    // No WebAssembly, no SIMD, forbidden, or no room for one more memory.
    return plainKernel(pageSize, count)
  }
}

function plainKernel(pageSize: PageSize, count: number): WALKernel {
  return { backend: 'js', pageSize, frames: new Uint8Array(count * (WAL_FRAME_HEADER_SIZE + pageSize)) }
}

/** What the module's fixed addresses take: HEAP of the kernel's wal-memory.ts, which a test compares. */
export const HEAP = 20480

/** Frames and the scan over them in one WebAssembly memory. */
export class WasmWALKernel implements WALKernel {
  readonly backend = 'wasm'
  readonly pageSize: PageSize
  readonly frames: Uint8Array
  /** Of the frames that the last scan found valid. */
  readonly pgnos: Uint32Array
  readonly commits: Uint32Array
  /** Running checksum before and after a call. */
  readonly sum: Uint32Array
  /** Running checksum after the last commit frame of the last scan. */
  readonly commitSum: Uint32Array
  /** One more than the index of that frame, 0 without one; the database size after it. */
  readonly lastCommit: Uint32Array
  readonly #exports: KernelExports

  constructor(pageSize: PageSize, count: number) {
    const framesSize = count * (WAL_FRAME_HEADER_SIZE + pageSize)
    const pgnos = HEAP + framesSize
    const commits = pgnos + 4 * count
    const fibonacci = commits + 4 * count
    const { memory, exports } = instantiate(fibonacci + pageSize + 4)
    exports.place(pageSize, fibonacci, pgnos, commits)
    this.pageSize = pageSize
    this.frames = memory.subarray(HEAP, HEAP + framesSize)
    this.pgnos = new Uint32Array(memory.buffer, pgnos, count)
    this.commits = new Uint32Array(memory.buffer, commits, count)
    this.sum = new Uint32Array(memory.buffer, exports.SUM.value, 2)
    this.commitSum = new Uint32Array(memory.buffer, exports.COMMIT_SUM.value, 2)
    this.lastCommit = new Uint32Array(memory.buffer, exports.RESULT.value, 2)
    this.#exports = exports
  }

  /** Whether bytes[start, end) lie in `frames`. */
  holds(bytes: Uint8Array, start: number, end: number): boolean {
    const { buffer, byteOffset, byteLength } = this.frames
    const at = bytes.byteOffset - byteOffset
    return bytes.buffer === buffer && at + start >= 0 && at + end <= byteLength
  }

  /** Verifies up to `count` frames at byte `at` of the memory and returns how many continue `sum`. */
  scan(at: number, count: number, salt1: number, salt2: number, bigEndian: boolean): number {
    return this.#exports.scan(at, count, swap32(salt1), swap32(salt2), bigEndian)
  }

  /** Advances `sum` over `length` bytes, a multiple of 8, at byte `at` of the memory. */
  checksum(at: number, length: number, bigEndian: boolean): void {
    this.#exports.checksum(at, length, bigEndian)
  }
}
