import type { Checksum, PageBatch, PageSize, Pos } from '@sqlstream/ltx'
import type { PageSet } from './page-set.ts'

/** Size of the database that is written. */
export interface DatabaseShape {
  readonly pageSize: PageSize
  /** Pages. */
  readonly commit: number
}

/** Pages of some state that a target has already: an older copy, or what an interrupted restore has written. */
export interface RestoreBase {
  /** The rolling checksum of the state of which these are pages. */
  readonly checksum: Checksum
  /** Which pages of that state are there. */
  readonly pages: PageSet
  /** Checksum of each page that is there, two words a page, low and high, as it was read just now. */
  readonly sums: Uint32Array
}

/** Receives the pages of a restore. Calls never overlap; after the first one that rejects only `abort` and `begin` follow. */
export interface PageSink {
  /**
   * Must prepare for a database of this shape, whose size may change by later files. Every page reads as zeros until it is written,
   * unless `mayReuse`: then all pages will be written, but those of the `base`.
   */
  begin(shape: DatabaseShape, options: { readonly mayReuse: boolean }): Promise<void>
  /**
   * What the target has already: asked for once, right after a `begin` that may reuse it. Pages that are not of the state to
   * restore are written again, so it need not be the same database. Default: nothing.
   */
  base?(shape: DatabaseShape): Promise<RestoreBase | undefined>
  /** Must take over the pages before it resolves: the batch's memory is used again. Pages written later replace earlier ones. */
  write(batch: WrittenPages): Promise<void>
  /** The database now ends after `commit` pages: what was behind must read as zeros if the database grows again. */
  truncate(commit: number): Promise<void>
  /** After so many bytes of pages `save` is called again. */
  readonly saveAfterBytes?: number
  /** So far these pages of the state with this position are written: may be kept for a `base` after a crash. Must be quick. */
  save?(pos: Pos, written: PageSet): Promise<void>
  /** Everything is written and proven: must make the result visible all at once. */
  commit(result: RestoredImage): Promise<void>
  /** Must leave nothing behind. May be called at any time, more than once, also after `commit`. */
  abort(): Promise<void>
}

/** What a sink is given of a batch: numbers in any order. A page that comes twice counts as it comes last. */
export type WrittenPages = Pick<PageBatch, 'count' | 'pgnos' | 'data'>

/** A database that was put together, from whatever kind of backup. */
export interface RestoredImage extends DatabaseShape {
  /** Time of the state, as the backup tells it. */
  readonly timestamp: Date
  /** Bytes of the backup's files. */
  readonly bytesRead: number
}

/** What a restore has produced. */
export interface RestoreResult extends RestoredImage {
  /** The restored TXID and the checksum of all restored pages. */
  readonly pos: Pos
  /** Checksum of each page, two words, low and high; 0, 0 for the lock page and for pages that no file holds. */
  readonly pageSums: Uint32Array
  /** Time in the last file's header. */
  readonly timestamp: Date
  /** The last file carries the checksum of the whole database, and it equals that of the restored pages. */
  readonly proven: boolean
  /** Pages that the target had already. */
  readonly pagesKept: number
}

/** How far a restore or a verification is. */
export interface Progress {
  /** Read, or found not to be needed. */
  readonly bytes: number
  readonly totalBytes: number
  readonly files: number
  readonly totalFiles: number
}
