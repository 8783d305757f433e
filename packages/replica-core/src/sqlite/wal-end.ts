import type { PageSize } from '@sqlstream/ltx'
import { decodeFrameHeader, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from '@sqlstream/wal'

/** Up to where a WAL is known. */
export interface WALEnd {
  readonly salt1: number
  readonly salt2: number
  /** Frames of that generation. */
  readonly frame: number
  readonly pageSize: PageSize
}

/** Offset of a frame (from 1) in the WAL file. */
export function frameOffset(frame: number, pageSize: PageSize): number {
  return WAL_HEADER_SIZE + (frame - 1) * (WAL_FRAME_HEADER_SIZE + pageSize)
}

/**
 * Whether a WAL file holds no frame behind its known end that anyone could see, now or after a recovery: a writer that died may have
 * left a whole transaction there, which the next recovery finds. The next commit puts its frame where this looks. Times of files
 * play no part.
 *
 * @param read fills `into` from a byte offset of the WAL and returns how many bytes there were
 */
export function endsThere(
  { salt1, salt2, frame, pageSize }: WALEnd,
  read: (into: Uint8Array, offset: number) => number,
): boolean {
  const header = new Uint8Array(WAL_HEADER_SIZE)
  if (read(header, 0) < header.length) return true
  const file = new DataView(header.buffer)
  const [own1, own2] = [file.getUint32(16), file.getUint32(20)]
  const known = own1 === salt1 && own2 === salt2 ? frame : 0
  const next = new Uint8Array(WAL_FRAME_HEADER_SIZE)
  if (read(next, frameOffset(known + 1, pageSize)) < next.length) return true
  const behind = decodeFrameHeader(next, 0)
  return behind.salt1 !== own1 || behind.salt2 !== own2
}
