import type { PageSize } from '../page-size.ts'
import { JsKernel } from './js-kernel.ts'
import { WasmKernel } from './wasm-kernel.ts'

/** What one call of PageKernel.decode found. */
export interface DecodeStep {
  /** Pages decoded; 0 without `end` means that the next frame is not whole yet. */
  readonly pages: number
  /** Bytes of `frames` used, the end mark among them. */
  readonly consumed: number
  /** The end mark was met. */
  readonly end: boolean
  /** Bytes that entered the file checksum: headers as they are, page data uncompressed. */
  readonly hashed: number
}

/**
 * The per-page work of LTX on batches: compression, file checksum, page checksums, frame layout. A kernel serves one file at
 * a time and owns its memory; the arrays never change identity.
 */
export interface PageKernel {
  readonly backend: 'js' | 'wasm'
  readonly pageSize: PageSize
  /** Pages per batch, at least 1. */
  readonly capacity: number
  /** capacity * pageSize bytes: input of encode and checksumPages, output of decode. 4-byte aligned. */
  readonly pages: Uint8Array
  /** One per page: filled by the caller for encode and checksumPages, by the kernel in decode. */
  readonly pgnos: Uint32Array
  /** Output of encode, input of decode. Holds any batch of pages and the end mark. */
  readonly frames: Uint8Array
  /** Whole size of each frame, its header among it. */
  readonly frameSizes: Uint32Array
  /** Two words a page, low then high, flag bit set; valid after encode(track), decode(track), checksumPages. */
  readonly pageSums: Uint32Array
  /**
   * Two words a page, low then high: raw CRC state of the page's data alone, started at zero, from which the CRC of any file with
   * that page can be had (shift.ts). Valid after encode(track) and decode(track).
   */
  readonly dataSums: Uint32Array
  /** Starts a new file: file checksum of nothing, offset 0 in errors. */
  reset(): void
  /** Adds bytes other than page frames to the file checksum. */
  hash(bytes: Uint8Array): void
  /** Adds `length` bytes that were hashed elsewhere, by their crc64. For parts of a file that other kernels have worked on. */
  append(crc: bigint, length: number): void
  /** CRC-64 of the file so far, without LTX's flag bit. More may follow. */
  digest(): bigint
  /** Encodes the first `count` pages into `frames` and returns the bytes there. Page numbers are not judged. */
  encode(count: number, track: boolean): number
  /**
   * Decodes whole frames from the first `available` bytes of `frames`, at most maxPages. Page numbers are not judged, except
   * that 0 is refused. Throws LTXError 'bad-page'.
   */
  decode(available: number, maxPages: number, track: boolean): DecodeStep
  /** Checksums of the first `count` pages into pageSums, without touching the file checksum. */
  checksumPages(count: number): void
}

/** Size and kind of a kernel. */
export interface KernelOptions {
  readonly pageSize: PageSize
  /** Bytes of pages in a batch, rounded down to whole pages, at least one. Default 1 MiB. Memory is a little over twice this. */
  readonly batchBytes?: number | undefined
  /**
   * `wasm`: WebAssembly with SIMD. `js`: plain JavaScript, several times slower, equal in every byte. `auto` (default): `wasm`, or
   * `js` where the platform has none or a Content-Security-Policy forbids it.
   */
  readonly backend?: 'auto' | 'wasm' | 'js' | undefined
}

/**
 * A kernel for one page size. Throws RangeError if the page size is none, and what the platform throws if `wasm` is asked for
 * and cannot be had.
 */
export function createKernel(options: KernelOptions): PageKernel {
  const { backend = 'auto' } = options
  if (backend === 'js') return new JsKernel(options)
  if (backend === 'wasm') return new WasmKernel(options)
  try {
    return new WasmKernel(options)
  } catch {
    // No WebAssembly, no SIMD, forbidden, or no room for one more memory; wrong options fail here again.
    return new JsKernel(options)
  }
}
