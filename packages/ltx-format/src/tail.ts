import { viewOf } from './big-endian.ts'
import type { Checksum } from './checksum.ts'
import { PAGE_HEADER_SIZE } from './frame.ts'
import { TRAILER_SIZE, type Trailer } from './trailer.ts'

/** Bytes of the index size, between index and trailer. */
export const INDEX_SIZE_SIZE = 8

/** The file checksum of all bytes so far. */
export interface FileHash {
  update(bytes: Uint8Array): void
  checksum(): Checksum
}

/** Everything after the last page: end mark, index, its size, trailer. */
export function encodeTail(
  index: Uint8Array,
  postApplyChecksum: Checksum,
  hash: FileHash,
): { readonly bytes: Uint8Array; readonly trailer: Trailer } {
  const sizeAt = PAGE_HEADER_SIZE + index.byteLength
  const trailerAt = sizeAt + INDEX_SIZE_SIZE
  const bytes = new Uint8Array(trailerAt + TRAILER_SIZE)
  const view = viewOf(bytes)
  bytes.set(index, PAGE_HEADER_SIZE)
  view.setBigUint64(sizeAt, BigInt(index.byteLength))
  view.setBigUint64(trailerAt, postApplyChecksum)
  hash.update(bytes.subarray(0, trailerAt + 8))
  const fileChecksum = hash.checksum()
  view.setBigUint64(trailerAt + 8, fileChecksum)
  return { bytes, trailer: { postApplyChecksum, fileChecksum } }
}
