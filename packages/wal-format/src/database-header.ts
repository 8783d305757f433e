import { dataView } from './byte-order.ts'
import { WALError } from './error.ts'
import { isPageSize, type PageSize } from './page-size.ts'

/** Bytes of the header at the start of page 1. */
export const DATABASE_HEADER_SIZE = 100

const MAGIC = 'SQLite format 3\0'

/** The parts of SQLite's database header (fileformat2.html, section 1.3) that replication looks at. */
export interface DatabaseHeader {
  readonly pageSize: PageSize
  /** Size in pages, as the header says. Right only while `changeCounter` equals `versionValidFor`. */
  readonly pageCount: number
  readonly changeCounter: number
  readonly versionValidFor: number
  /** Version number of the library that wrote last, such as 3053002; 0 when it was never set. */
  readonly sqliteVersion: number
  readonly journalMode: 'wal' | 'rollback'
  /** 1 rollback journal, 2 WAL, anything else is not SQLite's (3 is the WAL2 branch). */
  readonly writeVersion: number
  readonly readVersion: number
  /** Unused bytes at the end of each page; some encryption extensions use them. */
  readonly reservedBytes: number
}

/**
 * Decodes the first 100 bytes of a database file.
 *
 * @throws WALError `bad-header` (too short, impossible page size), `bad-magic` (not SQLite, or encrypted)
 */
export function decodeDatabaseHeader(bytes: Uint8Array): DatabaseHeader {
  if (bytes.length < DATABASE_HEADER_SIZE) {
    throw new WALError(
      'bad-header',
      `database header needs ${DATABASE_HEADER_SIZE} bytes, got ${bytes.length}`,
    )
  }
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC.charCodeAt(i)) {
      throw new WALError('bad-magic', 'file does not begin with "SQLite format 3"', {
        hint: 'It is no SQLite database, or an encrypted one.',
      })
    }
  }
  const view = dataView(bytes)
  const stored = view.getUint16(16)
  const pageSize = stored === 1 ? 65536 : stored
  if (!isPageSize(pageSize)) throw new WALError('bad-header', `database page size is ${stored}`)
  const readVersion = bytes[19]!
  return {
    pageSize,
    pageCount: view.getUint32(28),
    changeCounter: view.getUint32(24),
    versionValidFor: view.getUint32(92),
    sqliteVersion: view.getUint32(96),
    journalMode: readVersion === 2 ? 'wal' : 'rollback',
    writeVersion: bytes[18]!,
    readVersion,
    reservedBytes: bytes[20]!,
  }
}
