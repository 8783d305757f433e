import { fold } from './crc64'
import { FLAGS_WITH_SIZE, FRAME_HEADER_SIZE } from './encode'
import { decompress } from './lz4-decompress'
import { FILE_STATE, frames, frameSizes, pages, pageSize, pgnos, RESULT } from './memory'
import { hashPage } from './page-sum'

const PAGE_HEADER_SIZE: usize = 6

/** Why decode stopped: src/kernel/problem.ts has the same numbers. */
const NO_PROBLEM: u32 = 0
const PGNO_ZERO: u32 = 1
const UNKNOWN_FLAGS: u32 = 2
const TOO_LONG: u32 = 3
const BAD_BLOCK: u32 = 4
/** A page without size prefix: no error, the owner decodes it. */
const OLD_PAGE: u32 = 5

/**
 * Decodes whole frames from frames + `from` to frames + `available` into the page slots `first`..`maxPages` - 1, in ascending
 * order, which the decoder's wild copies rely on. RESULT tells how far it came and why it stopped.
 */
export function decode(from: usize, available: usize, first: usize, maxPages: usize, track: bool): void {
  const end = frames + available
  const bound = pageSize + pageSize / 255 + 16
  let at = frames + from
  let count = first
  let hashed: usize = 0
  let ended: u32 = 0
  let problem = NO_PROBLEM
  while (count < maxPages && end - at >= PAGE_HEADER_SIZE) {
    const pgno = bswap<u32>(load<u32>(at))
    const flags = <u32>load<u16>(at + 4)
    if (pgno == 0) {
      if (flags != 0) {
        problem = PGNO_ZERO
        break
      }
      store<u64>(FILE_STATE, fold(load<u64>(FILE_STATE), at, PAGE_HEADER_SIZE))
      at += PAGE_HEADER_SIZE
      hashed += PAGE_HEADER_SIZE
      ended = 1
      break
    }
    if (flags != FLAGS_WITH_SIZE) {
      problem = flags == 0 ? OLD_PAGE : UNKNOWN_FLAGS
      break
    }
    if (end - at < FRAME_HEADER_SIZE) break
    const size = <usize>bswap<u32>(load<u32>(at + PAGE_HEADER_SIZE))
    if (size > bound) {
      problem = TOO_LONG
      break
    }
    const data = at + FRAME_HEADER_SIZE
    if (end - data < size) break
    const page = pages + count * pageSize
    if (!decompress(data, data + size, page, page + pageSize)) {
      problem = BAD_BLOCK
      break
    }
    hashPage(count, pgno, at, FRAME_HEADER_SIZE, track)
    store<u32>(pgnos + (count << 2), pgno)
    store<u32>(frameSizes + (count << 2), FRAME_HEADER_SIZE + size)
    hashed += FRAME_HEADER_SIZE + pageSize
    at = data + size
    count++
  }
  store<u32>(RESULT, count)
  store<u32>(RESULT, at - frames, 4)
  store<u32>(RESULT, ended, 8)
  store<u32>(RESULT, hashed, 12)
  store<u32>(RESULT, problem, 16)
}
