import type { StreamReader } from './byte-stream.ts'
import { LTXError } from './errors.ts'
import { PAGE_HEADER_SIZE } from './frame.ts'
import type { PageKernel } from './kernel/page-kernel.ts'

/** Several pages in ascending order; all arrays are views that stay valid until the next batch. */
export interface PageBatch {
  readonly count: number
  readonly pgnos: Uint32Array
  /** count * pageSize bytes. */
  readonly data: Uint8Array
  /** Two words a page, low then high: its checksum, flag bit set. */
  readonly sums: Uint32Array
  /** The frames as they are in the file, one after another. */
  readonly frames: Uint8Array
  /** Size of each frame. */
  readonly frameSizes: Uint32Array
}

/** What one step found: page numbers are not judged yet. Without pages it is the end. */
export interface FrameBatch extends PageBatch {
  /** The end mark followed; the reader stands behind it. */
  readonly end: boolean
}

/** The pages of a file as batches. What it reads it adds to the kernel's file checksum, the end mark among it. */
export interface FrameSource {
  /** The next batch, until one has `end`. Throws LTXError 'bad-page' or 'truncated', the source's errors, the signal's reason. */
  next(): Promise<FrameBatch>
  /** From now on nobody looks at `data`. */
  dropPages(): void
}

/** Decodes in this thread, straight from the kernel's memory. */
export class KernelFrames implements FrameSource {
  readonly #kernel: PageKernel
  readonly #reader: StreamReader
  /** Bytes in kernel.frames, of which those before #used belong to the batch handed out last. */
  #available: number
  #used = 0
  /** Offset of kernel.frames[#used] in the file. */
  #offset: number

  /** The first `available` bytes of kernel.frames, which lie at `offset` in the file, come before what the reader has. */
  constructor(kernel: PageKernel, reader: StreamReader, offset: number, available = 0) {
    this.#kernel = kernel
    this.#reader = reader
    this.#offset = offset
    this.#available = available
  }

  async next(): Promise<FrameBatch> {
    const kernel = this.#kernel
    const { frames, capacity } = kernel
    // The previous batch is done with: its frames make room.
    frames.copyWithin(0, this.#used, this.#available)
    this.#available = await this.#reader.fill(frames, this.#available - this.#used, frames.byteLength)
    this.#used = 0
    const { pages, consumed, end } = kernel.decode(this.#available, capacity, true)
    this.#used = consumed
    this.#offset += consumed
    if (end) {
      this.#reader.unread(frames.subarray(consumed, this.#available))
      this.#available = consumed
    } else if (pages === 0) {
      const offset = this.#offset + this.#available
      throw new LTXError('truncated', 'file ends within its pages', { offset })
    }
    return frameBatch(kernel, pages, consumed, end)
  }

  dropPages(): void {
    // They are made on the way anyway.
  }
}

/** The batch that kernel.decode has just made. */
export function frameBatch(kernel: PageKernel, pages: number, consumed: number, end: boolean): FrameBatch {
  return {
    count: pages,
    pgnos: kernel.pgnos.subarray(0, pages),
    data: kernel.pages.subarray(0, pages * kernel.pageSize),
    sums: kernel.pageSums.subarray(0, 2 * pages),
    frames: kernel.frames.subarray(0, end ? consumed - PAGE_HEADER_SIZE : consumed),
    frameSizes: kernel.frameSizes.subarray(0, pages),
    end,
  }
}
