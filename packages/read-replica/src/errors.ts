import { formatTXID, type TXID } from '@sqlstream/ltx'

/**
 * What went wrong with a read replica, for programs. A new code is a minor release.
 *
 * - `sql`: SQLite refused or could not run a statement; `sqliteCode` says why.
 * - `snapshot-gone`: the files of this state were removed from the backup, and nothing in it leads to the same state.
 * - `stale`: the newest state that is known is older than `maxLagMs` allows, and no newer one could be learnt of.
 * - `went-back`: the backup ends before a state that was already read from it.
 * - `timed-out`: the awaited transaction did not arrive in time.
 * - `open-transaction`: a statement began a transaction and did not end it; it was rolled back.
 * - `closed`: the replica is closed.
 * - `engine`: the thread that runs SQLite has died.
 */
export type ReadReplicaErrorCode =
  | 'sql'
  | 'snapshot-gone'
  | 'stale'
  | 'went-back'
  | 'timed-out'
  | 'open-transaction'
  | 'closed'
  | 'engine'

/** What a `ReadReplicaError` carries besides code and message. */
export interface ReadReplicaErrorOptions {
  readonly cause?: unknown
  /** One sentence on what a person can do. */
  readonly hint?: string | undefined
  /** SQLite's own name of the error, such as `SQLITE_READONLY`. */
  readonly sqliteCode?: string | undefined
}

/** Every error of this package that is not the caller's mistake, an error of the store or of the replica, or an abort. */
export class ReadReplicaError extends Error {
  override readonly name: 'ReadReplicaError' = 'ReadReplicaError'
  readonly code: ReadReplicaErrorCode
  /** One sentence on what a person can do. */
  readonly hint?: string
  /** SQLite's own name of the error, such as `SQLITE_READONLY`; with the code `sql` alone. */
  readonly sqliteCode?: string

  constructor(code: ReadReplicaErrorCode, message: string, options: ReadReplicaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
    if (options.sqliteCode !== undefined) this.sqliteCode = options.sqliteCode
  }
}

/** By name and code, not instanceof: two copies of this package may be installed. */
export function isReadReplicaError(error: unknown, code?: ReadReplicaErrorCode): error is ReadReplicaError {
  if (!(error instanceof Error) || error.name !== 'ReadReplicaError') return false
  return code === undefined || (error as ReadReplicaError).code === code
}

/** The error of whatever is used after `close`. */
export function closedError(): ReadReplicaError {
  return new ReadReplicaError('closed', 'the replica is closed')
}

/** The error of a query that could only read what may be too old. */
export function staleError(shown: TXID, lagMs: number, maxLagMs: number, cause: unknown): ReadReplicaError {
  return new ReadReplicaError(
    'stale',
    `the newest state that is known, TXID ${formatTXID(shown)}, was known to be the newest one ${Math.round(lagMs)} ms ago, more than ${maxLagMs}`,
    { cause, hint: 'The cause says why newer states cannot be learnt of.' },
  )
}

/** The error of a wait that took too long. */
export function tooLateError(txid: TXID, shown: TXID, timeoutMs: number): ReadReplicaError {
  return new ReadReplicaError(
    'timed-out',
    `TXID ${formatTXID(txid)} did not arrive in ${timeoutMs} ms: the newest is ${formatTXID(shown)}`,
  )
}
