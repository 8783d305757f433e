import { fold, foldFew } from './crc64'
import { dataSums, FILE_STATE, pages, pageSize, pageSums } from './memory'
import { shiftByPage } from './shift'

const FLAG: u64 = 1 << 63

/** The raw state after a page number, with which the checksum of a page begins. */
// @ts-ignore: decorator
@inline
export function startPage(pgno: u32): u64 {
  return foldFew(~(<u64>0), bswap<u32>(pgno), 4)
}

export function storePageSum(index: usize, state: u64): void {
  store<u64>(pageSums + (index << 3), ~state | FLAG)
}

/** Adds the frame header at `header` and the page in slot `index` to the file checksum; with `track` also sums the page. */
export function hashPage(index: usize, pgno: u32, header: usize, headerSize: usize, track: bool): void {
  const before = fold(load<u64>(FILE_STATE), header, headerSize)
  const page = pages + index * pageSize
  if (!track) {
    store<u64>(FILE_STATE, fold(before, page, pageSize))
    return
  }
  const data = fold(0, page, pageSize)
  store<u64>(dataSums + (index << 3), data)
  store<u64>(FILE_STATE, shiftByPage(before) ^ data)
  storePageSum(index, shiftByPage(startPage(pgno)) ^ data)
}
