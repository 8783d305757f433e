import type { Pgno } from './page-size.ts'

/** Bytes before the page image of each frame. */
export const WAL_FRAME_HEADER_SIZE = 24

/** What precedes a page image in the WAL. Only a {@link FrameScanner} can say whether it is valid. */
export interface WALFrameHeader {
  readonly pgno: Pgno
  /** Database size in pages after the transaction that this frame ends; 0 in every other frame. */
  readonly commit: number
  readonly salt1: number
  readonly salt2: number
  /** Running checksum from the start of the file up to and including this frame. */
  readonly checksum1: number
  readonly checksum2: number
}

/**
 * Decodes the 24 bytes at `offset`. Nothing is checked.
 *
 * @throws RangeError when they lie outside `bytes`
 */
export function decodeFrameHeader(bytes: Uint8Array, offset: number): WALFrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    pgno: view.getUint32(offset),
    commit: view.getUint32(offset + 4),
    salt1: view.getUint32(offset + 8),
    salt2: view.getUint32(offset + 12),
    checksum1: view.getUint32(offset + 16),
    checksum2: view.getUint32(offset + 20),
  }
}
