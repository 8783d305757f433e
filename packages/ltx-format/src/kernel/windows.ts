import { FRAME_HEADER_SIZE, PAGE_HEADER_SIZE } from '../frame.ts'
import { isPageSize, notPageSize, type PageSize } from '../page-size.ts'
import { compressBound } from './lz4-compress.ts'
import type { KernelOptions } from './page-kernel.ts'

/** Sizes of a kernel's windows: `capacity` pages, the bytes of the other two. Throws RangeError. */
export function windowSizes(options: KernelOptions): {
  readonly pageSize: PageSize
  readonly capacity: number
  readonly pagesSize: number
  readonly framesSize: number
} {
  const { pageSize, batchBytes = 1024 * 1024 } = options
  if (!isPageSize(pageSize)) throw new RangeError(notPageSize(pageSize))
  if (!(batchBytes >= 0 && batchBytes <= 2 ** 30))
    throw new RangeError(`batchBytes ${batchBytes} is not in 0..2^30`)
  const capacity = Math.max(1, Math.floor(batchBytes / pageSize))
  // Room for any page of this size, as a block with its header or as an LZ4 frame with its own headers, and for the end mark.
  const largestFrame = FRAME_HEADER_SIZE + compressBound(pageSize) + 64
  const framesSize = capacity * largestFrame + PAGE_HEADER_SIZE
  return { pageSize, capacity, pagesSize: capacity * pageSize, framesSize }
}

/** Throws RangeError for a number of pages, or bytes of frames, that a kernel has no room for. */
export function checkCount(count: number, most: number, what: string = 'pages'): void {
  if (!(Number.isInteger(count) && count >= 0 && count <= most)) {
    throw new RangeError(`${count} ${what} in a kernel for ${most}`)
  }
}
