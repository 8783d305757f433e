import { dataView } from './byte-order.ts'
import { walChecksum } from './checksum.ts'
import { WALError } from './error.ts'
import { isPageSize, type PageSize } from './page-size.ts'

/** Bytes before the first frame. */
export const WAL_HEADER_SIZE = 32

const MAGIC = 0x377f0682
const VERSION = 3007000

/** The first 32 bytes of a WAL file: one generation of it, from one restart to the next. */
export interface WALHeader {
  /** How the checksums of this file read their words. SQLite writes its machine's own order. */
  readonly bigEndianChecksums: boolean
  readonly pageSize: PageSize
  /** Grows with each restart that one connection does; each connection counts for itself. */
  readonly checkpointSeq: number
  /** Random at first, plus 1 at each restart; unsigned. */
  readonly salt1: number
  /** New and random at each restart; unsigned. */
  readonly salt2: number
  /** Checksum of the 24 bytes before it: the seed of the first frame's checksum. */
  readonly checksum1: number
  readonly checksum2: number
}

/**
 * Decodes and checks the header of a WAL file.
 *
 * @param bytes at least the first 32 bytes of the file
 * @throws WALError `bad-header` (too short, impossible page size), `bad-magic`, `bad-version`,
 * `bad-checksum`. A file that SQLite is just creating may be short or torn: read it again later.
 */
export function decodeWALHeader(bytes: Uint8Array): WALHeader {
  if (bytes.length < WAL_HEADER_SIZE) {
    throw new WALError('bad-header', `WAL header needs ${WAL_HEADER_SIZE} bytes, got ${bytes.length}`)
  }
  const view = dataView(bytes)
  const magic = view.getUint32(0)
  if ((magic & ~1) !== MAGIC) {
    throw new WALError('bad-magic', `WAL magic is 0x${magic.toString(16)}, not 0x377f0682 or 0x377f0683`)
  }
  const version = view.getUint32(4)
  if (version !== VERSION) throw new WALError('bad-version', `WAL format is ${version}, not ${VERSION}`)
  const pageSize = view.getUint32(8)
  if (!isPageSize(pageSize)) throw new WALError('bad-header', `WAL page size is ${pageSize}`)

  const bigEndianChecksums = (magic & 1) === 1
  const sum = new Uint32Array(2)
  walChecksum(sum, bytes, 0, 24, bigEndianChecksums)
  const checksum1 = view.getUint32(24)
  const checksum2 = view.getUint32(28)
  if (sum[0] !== checksum1 || sum[1] !== checksum2) {
    throw new WALError('bad-checksum', 'WAL header does not match its checksum')
  }
  return {
    bigEndianChecksums,
    pageSize,
    checkpointSeq: view.getUint32(12),
    salt1: view.getUint32(16),
    salt2: view.getUint32(20),
    checksum1,
    checksum2,
  }
}
