import { fold } from './crc64'
import { FILE_STATE, pages, pageSize, pgnos } from './memory'
import { hashPage, startPage, storePageSum } from './page-sum'

/* The kernel of @sqlstream/ltx. */

export { decode } from './decode'
export { encode } from './encode'
export { FILE_STATE, HEAP, place, RESULT, SLACK } from './memory'

/** Adds bytes of this memory to the file checksum. */
export function hash(at: usize, size: usize): void {
  store<u64>(FILE_STATE, fold(load<u64>(FILE_STATE), at, size))
}

/** Adds a page that its owner has decoded to the file checksum. */
export function hashOldPage(index: usize, header: usize, track: bool): void {
  hashPage(index, bswap<u32>(load<u32>(header)), header, 6, track)
}

/** Checksums of the first `count` pages. */
export function checksumPages(count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    storePageSum(i, fold(startPage(load<u32>(pgnos + (i << 2))), pages + i * pageSize, pageSize))
  }
}
