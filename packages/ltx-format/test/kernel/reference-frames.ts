import { OLD_PAGE_START } from './frame-grammar.ts'
import { decodeBlock } from './reference.ts'

/** What decoding frames should give. */
export interface Expected {
  /** Pages decoded before the end of the input, the end mark or a mistake. */
  pages: number
  consumed: number
  end: boolean
  hashed: number
  /** Where the frame that is refused begins; -1: none is. */
  refusedAt: number
  /** Bytes of the page in that frame before the mistake; -1 if it is not begun because the header is wrong. */
  begun: number
  readonly pgnos: number[]
  readonly frameSizes: number[]
}

function number(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 2 ** 24 + (bytes[at + 1]! << 16) + (bytes[at + 2]! << 8) + bytes[at + 3]!
}

/**
 * Decodes as the format says (FORMAT.md P1, P2, P8, P9), plainly, into `out`. `room` is the size of a kernel's frames. Of LZ4 frames
 * it knows those with OLD_PAGE_START and one block.
 */
export function decodeFrames(
  bytes: Uint8Array,
  available: number,
  maxPages: number,
  pageSize: number,
  room: number,
  out: Uint8Array,
): Expected {
  const bound = pageSize + Math.floor(pageSize / 255) + 16
  const expected: Expected = {
    pages: 0,
    consumed: 0,
    end: false,
    hashed: 0,
    refusedAt: -1,
    begun: -1,
    pgnos: [],
    frameSizes: [],
  }
  const refuse = (begun = -1): Expected => {
    expected.refusedAt = expected.consumed
    expected.begun = begun
    return expected
  }
  while (expected.pages < maxPages && expected.consumed + 6 <= available) {
    const at = expected.consumed
    const pgno = number(bytes, at)
    const flags = bytes[at + 4]! * 256 + bytes[at + 5]!
    if (pgno === 0 && flags === 0) {
      expected.consumed += 6
      expected.hashed += 6
      expected.end = true
      break
    }
    if (pgno === 0 || flags > 1) return refuse()
    const header = flags === 1 ? 10 : 6
    const data = flags === 1 ? at + 10 : at + 6 + OLD_PAGE_START.length + 4
    if (
      flags === 0 &&
      data - 4 <= available &&
      OLD_PAGE_START.some((byte, i) => bytes[at + 6 + i] !== byte)
    ) {
      return refuse()
    }
    if (data > available) break
    const size =
      flags === 1
        ? number(bytes, at + 6)
        : bytes[data - 4]! + (bytes[data - 3]! << 8) + (bytes[data - 2]! << 16)
    if (flags === 1 && size > bound) return refuse()
    const end = data + size + (flags === 1 ? 0 : 4)
    if (end > available) {
      // A frame for which the whole window is too small will never be whole.
      if (flags === 0 && at === 0 && available === room) return refuse()
      break
    }
    const start = expected.pages * pageSize
    const block = bytes.subarray(data, data + size)
    const page = decodeBlock(block, out, start, start + pageSize)
    if (!page.whole) return refuse(page.end - start)
    expected.pgnos.push(pgno)
    expected.frameSizes.push(end - at)
    expected.consumed = end
    expected.hashed += header + pageSize
    expected.pages++
  }
  return expected
}
