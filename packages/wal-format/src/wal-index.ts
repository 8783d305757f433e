import { dataView, HOST_IS_LITTLE_ENDIAN } from './byte-order.ts'
import { walChecksum } from './checksum.ts'

/** Bytes at the start of a -shm file: two copies of the header, then the checkpoint information. */
export const WAL_INDEX_HEADER_SIZE = 136

const COPY_SIZE = 48
const SUMMED = 40
const VERSION = 3007000

/** What the -shm file says about the WAL: the state that every connection agrees on. */
export interface WALIndexHeader {
  readonly version: number
  /** Grows with each committed transaction (and wraps). */
  readonly change: number
  /** 0 while no frame has been written since the -shm file was created: take the database header's. */
  readonly pageSize: number
  readonly bigEndianChecksums: boolean
  /** Number of the last frame that is committed and visible. Frames after it belong to nobody. */
  readonly mxFrame: number
  /** Database size in pages. 0 like `pageSize`. */
  readonly pageCount: number
  /** Running checksum of frame `mxFrame`. */
  readonly frameChecksum1: number
  readonly frameChecksum2: number
  /** Unsigned, as in the WAL header. Both 0 before the first frame. */
  readonly salt1: number
  readonly salt2: number
  /** Frames that were copied into the database file for certain. */
  readonly backfill: number
  /** Frames that a checkpoint may have begun to copy. */
  readonly backfillAttempted: number
  /** Five read marks; 0xffffffff is unused. */
  readonly readMarks: Uint32Array
}

/**
 * Decodes the start of a -shm file, in this machine's byte order. A writer updates the second copy
 * first, then the first; it may be stopped in between for milliseconds. So the first copy whose own
 * checksum is right is taken, else the second: each is a complete state.
 *
 * @param bytes at least 136 bytes; a shorter array is a file that is just being created
 * @returns undefined when neither copy is valid: read again, or let SQLite recover the file
 */
export function decodeWALIndexHeader(bytes: Uint8Array): WALIndexHeader | undefined {
  if (bytes.length < WAL_INDEX_HEADER_SIZE) return undefined
  const view = dataView(bytes)
  const at = isValidCopy(bytes, view, 0) ? 0 : isValidCopy(bytes, view, COPY_SIZE) ? COPY_SIZE : -1
  if (at < 0) return undefined
  const native = HOST_IS_LITTLE_ENDIAN
  const codedPageSize = view.getUint16(at + 14, native)
  const readMarks = new Uint32Array(5)
  for (let i = 0; i < 5; i++) readMarks[i] = view.getUint32(100 + 4 * i, native)
  return {
    version: view.getUint32(at, native),
    change: view.getUint32(at + 8, native),
    // 65536 does not fit in 16 bits and is stored as 1.
    pageSize: (codedPageSize & 0xfe00) + ((codedPageSize & 1) << 16),
    bigEndianChecksums: bytes[at + 13] !== 0,
    mxFrame: view.getUint32(at + 16, native),
    pageCount: view.getUint32(at + 20, native),
    frameChecksum1: view.getUint32(at + 24, native),
    frameChecksum2: view.getUint32(at + 28, native),
    // SQLite copies the salts as bytes from the WAL header, where they are big-endian.
    salt1: view.getUint32(at + 32),
    salt2: view.getUint32(at + 36),
    backfill: view.getUint32(96, native),
    backfillAttempted: view.getUint32(128, native),
    readMarks,
  }
}

const sum = new Uint32Array(2)

function isValidCopy(bytes: Uint8Array, view: DataView, at: number): boolean {
  const native = HOST_IS_LITTLE_ENDIAN
  if (bytes[at + 12] === 0 || view.getUint32(at, native) !== VERSION) return false
  sum[0] = 0
  sum[1] = 0
  walChecksum(sum, bytes, at, SUMMED, !native)
  return sum[0] === view.getUint32(at + 40, native) && sum[1] === view.getUint32(at + 44, native)
}
