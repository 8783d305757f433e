/** A request that has begun. */
export type Ticket = number

/** Ranges of files for a caller that cannot wait otherwise than by blocking: SQLite asks for pages in the middle of a statement. */
export interface RangeSource {
  /** Begins a request; undefined when too many are under way. */
  start(file: number, offset: number, length: number): Ticket | undefined
  /** Blocks until the bytes are there. They are valid until `release`. Throws FileGone, FetchFailed. */
  take(ticket: Ticket): Uint8Array
  /** Whether `take` would not block. */
  isDone(ticket: Ticket): boolean
  /** Gives the room back; the request must be done. */
  release(ticket: Ticket): void
  /** Blocks until there are other files for a state that a session reads, now that one is gone, and gives them encoded. Throws FetchFailed, FilesNeeded. */
  replan(session: number, txid: bigint, file: number): Uint8Array<ArrayBuffer>
}

/** The file of a request is not there any more, or is not what it was. */
export class FileGone extends Error {
  override readonly name = 'FileGone'
}

/** A request failed; whoever made it keeps the error by this number. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed'
  readonly failure: number

  constructor(failure: number) {
    super(`request failed (${failure})`)
    this.failure = failure
  }
}

/** A frame that is not what its index says; the file is told on the other side. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
  readonly file: number

  constructor(file: number, message: string) {
    super(message)
    this.file = file
  }
}

/** The store answered with an error, to this side. */
export class StoreFailed extends Error {
  override readonly name = 'StoreFailed'
  readonly file: number

  constructor(file: number, message: string) {
    super(message)
    this.file = file
  }
}

/** A file of a state is gone, and only the other side can find others: the statement ends, and is run again when they are there. */
export class FilesNeeded extends Error {
  override readonly name = 'FilesNeeded'
  readonly txid: bigint
  readonly file: number

  constructor(txid: bigint, file: number) {
    super(`file ${file} is gone`)
    this.txid = txid
    this.file = file
  }
}
