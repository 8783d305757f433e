import type { TXID } from '@sqlstream/ltx'

/** The files of a database, as its log sees them. */
export interface LoggedState {
  /** Makes durable there everything that was appended before the call. */
  flush(): Promise<void>
  /** Leaves its seat, and says if that was not possible without a loss. */
  close(): void
}

/** A database that appends to a log. */
export interface LogSeat {
  /** Takes the seat before the first capture, which would otherwise hold up this thread for two syncs. @throws the system's error: that capture tries again */
  sit(): Promise<void>
  /**
   * Appends a capture: its record in the journal, and its file unless that lies in the spool.
   * @throws PrimaryError `disk-full`, or the system's error: nothing was appended
   */
  append(journalRecord: Uint8Array, content: Uint8Array | undefined): void
  /** Resolves when the log has room for more. @throws why databases cannot write their own files */
  room(): Promise<void>
  /** Notes that the replica has everything up to here. Lost in a crash, it is found out again at the next start. */
  acknowledge(txid: TXID): void
  /** Resolves when everything that was appended before is durable. @throws the system's error; may be called again */
  synced(): Promise<void>
  /** Everything was flushed: segments that nobody needs any more go, the one that is written to as well. */
  flushed(): void
  /** Everything was flushed: the log forgets the database. With a reason, it was not: the next seat of the database flushes it. */
  leave(reason?: unknown): void
}
