import type { PageBatch, PageSize } from '@sqlstream/ltx'

/** Pages for a sink; all arrays are views that stay valid until the next ones. */
export type SinkPages = Pick<PageBatch, 'count' | 'pgnos' | 'data'>

/** A database that was put together, from whatever kind of backup. */
export interface RestoredImage {
  readonly pageSize: PageSize
  /** Pages. */
  readonly commit: number
  /** Time of the state, as the backup tells it. */
  readonly timestamp: Date
  /** Bytes of the backup's files. */
  readonly bytesRead: number
}

/** Receives the pages of a restore. Calls never overlap; after the first one that rejects only `abort` follows. */
export interface PageSink {
  /** Must prepare for a database of this shape. The size may change by later files. */
  begin(shape: { readonly pageSize: PageSize; readonly commit: number }): Promise<void>
  /**
   * Must take over the pages before it resolves: the memory is used again. Pages written later replace earlier ones, also
   * in the same call.
   */
  write(pages: SinkPages): Promise<void>
  /** The database now ends after `commit` pages: what was behind must read as zeros if the database grows again. */
  truncate(commit: number): Promise<void>
  /** Everything is written and proven: must make the result visible all at once. */
  commit(result: RestoredImage): Promise<void>
  /** Must leave nothing behind. May be called at any time, more than once, also after `commit`. */
  abort(): Promise<void>
}
