import { LTXError } from '../errors.ts'
import { PAGE_HEADER_SIZE } from '../frame.ts'
import { decompressFrameInto, frameLength } from '../lz4-frame.ts'

/** Where a kernel's windows lie in its one array. */
export interface Windows {
  readonly memory: Uint8Array
  readonly pageSize: number
  readonly pagesAt: number
  readonly framesAt: number
  readonly framesSize: number
}

/**
 * Decodes a page without size prefix, as early writers made them: its data is an LZ4 frame that says itself where it ends.
 * Returns the size of the whole frame, 0 if it is not whole before `end`. Throws LTXError 'bad-page' at `offset`.
 */
export function decodeOldPage(
  { memory, pageSize, pagesAt, framesAt, framesSize }: Windows,
  at: number,
  end: number,
  slot: number,
  offset: number,
): number {
  const data = at + PAGE_HEADER_SIZE
  try {
    const length = frameLength(memory, data, end)
    if (length < 0) {
      // It has the whole window and still does not end.
      if (end - framesAt === framesSize && at === framesAt)
        throw new LTXError('bad-page', 'LZ4 frame is too long')
      return 0
    }
    const out = pagesAt + slot * pageSize
    decompressFrameInto(memory, data, data + length, memory, out, out + pageSize)
    return PAGE_HEADER_SIZE + length
  } catch (cause) {
    throw new LTXError('bad-page', `page data is not an LZ4 frame of ${pageSize} bytes`, { offset, cause })
  }
}
