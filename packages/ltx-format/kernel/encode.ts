import { compress } from './lz4-compress'
import { frames, frameSizes, pages, pageSize, pgnos } from './memory'
import { hashPage } from './page-sum'

/** Page number, flags, size of the block. */
export const FRAME_HEADER_SIZE: usize = 10
/** The flags of a page with a size, in big-endian order. */
export const FLAGS_WITH_SIZE: u32 = 0x0100

/** Encodes the first `count` pages and returns the bytes in frames. */
export function encode(count: usize, track: bool): usize {
  let at = frames
  for (let i: usize = 0; i < count; i++) {
    const pgno = load<u32>(pgnos + (i << 2))
    const data = at + FRAME_HEADER_SIZE
    const end = compress(pages + i * pageSize, pageSize, data)
    store<u32>(at, bswap<u32>(pgno))
    store<u16>(at + 4, FLAGS_WITH_SIZE)
    store<u32>(at + 6, bswap<u32>(<u32>(end - data)))
    hashPage(i, pgno, at, FRAME_HEADER_SIZE, track)
    store<u32>(frameSizes + (i << 2), end - at)
    at = end
  }
  return at - frames
}
