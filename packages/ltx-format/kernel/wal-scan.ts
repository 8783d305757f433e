import { checksum } from './wal-checksum'
import { COMMIT_SUM, commits, pageSize, pgnos, RESULT, SUM } from './wal-memory'

const FRAME_HEADER_SIZE: usize = 24

/**
 * Verifies up to `count` frames that lie back to back at `start`: page number, salts (as a little-endian machine loads their bytes),
 * running checksum. Returns how many are valid; their page numbers and database sizes are in pgnos and commits. SUM is the
 * checksum before and after.
 */
export function scan(start: usize, count: usize, salt1: u32, salt2: u32, swap: bool): usize {
  let at = start
  let index: usize = 0
  store<u64>(RESULT, 0)
  for (; index < count; index++) {
    const pgno = bswap<u32>(load<u32>(at))
    if (pgno == 0 || load<u32>(at, 8) != salt1 || load<u32>(at, 12) != salt2) break
    const before = load<u64>(SUM)
    checksum(at, 8, swap)
    checksum(at + FRAME_HEADER_SIZE, pageSize, swap)
    if (load<u32>(SUM) != bswap<u32>(load<u32>(at, 16)) || load<u32>(SUM, 4) != bswap<u32>(load<u32>(at, 20))) {
      store<u64>(SUM, before)
      break
    }
    const commit = bswap<u32>(load<u32>(at, 4))
    store<u32>(pgnos + (index << 2), pgno)
    store<u32>(commits + (index << 2), commit)
    if (commit != 0) {
      store<u64>(COMMIT_SUM, load<u64>(SUM))
      store<u32>(RESULT, index + 1)
      store<u32>(RESULT, commit, 4)
    }
    at += FRAME_HEADER_SIZE + pageSize
  }
  return index
}
