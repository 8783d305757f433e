import type { Checksum, PageSize, TXID } from '@sqlstream/ltx'

/**
 * How far a generation of the WAL has been captured: `frame` frames of the generation with these
 * salts, the last of which carries this running checksum (SQLite file format, "WAL frame header").
 * `frame` 0 means that nothing of the generation has been captured.
 */
export interface WALPosition {
  readonly salt1: number
  readonly salt2: number
  readonly frame: number
  readonly checksum1: number
  readonly checksum2: number
}

/** What is known to be captured: a transaction of the replica and the place in the WAL it ends at. */
export interface Position {
  readonly txid: TXID
  readonly postApplyChecksum: Checksum
  readonly pageSize: PageSize
  /** Size of the database, in pages. */
  readonly commit: number
  /** Header timestamp of `txid`, ms; never goes back. */
  readonly timestamp: number
  readonly wal: WALPosition
}
