import { FRAME_HEADER_SIZE } from '../frame.ts'
import { compressBound } from '../kernel/lz4-compress.ts'
import type { PageSize } from '../page-size.ts'

/** What fits into a block. */
export interface BlockShape {
  readonly pageSize: PageSize
  /** Pages, at least 1. */
  readonly capacity: number
}

/**
 * Work for a kernel in one ArrayBuffer, so that it can go to another thread and come back without being copied. The views
 * are those of a PageKernel of the same shape; they are empty once the buffer was handed over.
 */
export class Block implements BlockShape {
  readonly pageSize: PageSize
  readonly capacity: number
  readonly buffer: ArrayBuffer
  /** capacity * pageSize bytes. */
  readonly pages: Uint8Array
  /** Room for `capacity` frames with size prefix, whatever is in them. */
  readonly frames: Uint8Array
  readonly pgnos: Uint32Array
  readonly frameSizes: Uint32Array
  /** Two words a page, low then high, flag bit set. */
  readonly pageSums: Uint32Array

  /** A new block, or one around the buffer of another block of this shape. */
  constructor({ pageSize, capacity }: BlockShape, buffer?: ArrayBuffer) {
    this.pageSize = pageSize
    this.capacity = capacity
    // Words first, as they must be aligned.
    const pagesAt = capacity * 4 * 4
    const framesAt = pagesAt + capacity * pageSize
    const size = framesAt + capacity * (FRAME_HEADER_SIZE + compressBound(pageSize))
    this.buffer = buffer ?? new ArrayBuffer(size)
    if (this.buffer.byteLength !== size)
      throw new RangeError(`block of ${this.buffer.byteLength} bytes, not ${size}`)
    this.pgnos = new Uint32Array(this.buffer, 0, capacity)
    this.frameSizes = new Uint32Array(this.buffer, capacity * 4, capacity)
    this.pageSums = new Uint32Array(this.buffer, capacity * 8, capacity * 2)
    this.pages = new Uint8Array(this.buffer, pagesAt, capacity * pageSize)
    this.frames = new Uint8Array(this.buffer, framesAt)
  }
}
