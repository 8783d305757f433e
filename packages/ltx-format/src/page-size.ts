/** One-based page number. */
export type Pgno = number

/** The page sizes of SQLite, in bytes. */
export type PageSize = 512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768 | 65536

/** One page of a database. */
export interface Page {
  readonly pgno: Pgno
  /** Exactly pageSize bytes. */
  readonly data: Uint8Array
}

/** SQLite locks bytes from here on and therefore never stores the page that contains them. */
const LOCK_OFFSET = 0x4000_0000

/** True for a power of two in 512..65536. */
export function isPageSize(value: number): value is PageSize {
  return value >= 512 && value <= 65536 && Number.isInteger(value) && (value & (value - 1)) === 0
}

/** What is wrong with a size that isPageSize refuses. */
export function notPageSize(value: number): string {
  return `page size ${value} is not a power of two in 512..65536`
}

/** Number of the page that contains byte 2^30. It is in no LTX file and in no checksum (FORMAT.md P5). */
export function lockPgno(pageSize: PageSize): Pgno {
  return LOCK_OFFSET / pageSize + 1
}
