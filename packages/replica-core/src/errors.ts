/**
 * Why the writing side stopped or refused. A new code is a minor release.
 *
 * - `not-a-database`, `not-wal-mode`, `exclusive-locking`, `unsafe-sqlite`: the database cannot be protected as it is
 * - `database-missing`, `database-replaced`, `page-size-changed`: the file is not the one that was replicated
 * - `wal-discontinuous`: frames that should follow the last captured one do not
 * - `behind`: the replica is ahead of this copy of the database
 * - `wrong-database`: the replica belongs to another database
 * - `diverged`: the replica holds another history: nothing says that this database belongs there, or another writer has taken over
 * - `locked`: another process replicates this database
 * - `lease-held`: another writer has the replica
 * - `lease-unsupported`: the store cannot keep two writers apart
 * - `state-folder`: the folder beside the database cannot be read or written
 * - `given-up`: for want of disk space captures were given up, so that the application can write; all pages will be compared
 * - `disk-full`, `busy`, `closed`, `fenced`: as named
 */
export type PrimaryErrorCode =
  | 'not-a-database'
  | 'not-wal-mode'
  | 'database-missing'
  | 'unsafe-sqlite'
  | 'exclusive-locking'
  | 'database-replaced'
  | 'page-size-changed'
  | 'wal-discontinuous'
  | 'behind'
  | 'wrong-database'
  | 'diverged'
  | 'locked'
  | 'lease-held'
  | 'lease-unsupported'
  | 'state-folder'
  | 'disk-full'
  | 'given-up'
  | 'busy'
  | 'closed'
  | 'fenced'

/** An error of the writing side. `message` says what failed, `hint` what a person can do. */
export class PrimaryError extends Error {
  override readonly name = 'PrimaryError'
  readonly code: PrimaryErrorCode
  readonly hint?: string

  constructor(code: PrimaryErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Recognises a {@link PrimaryError} by name and code, so that two installed copies do no harm. */
export function isPrimaryError(error: unknown, code?: PrimaryErrorCode): error is PrimaryError {
  return (
    error instanceof Error &&
    error.name === 'PrimaryError' &&
    (code === undefined || (error as PrimaryError).code === code)
  )
}

/** Passes over that captures were given up just now. @throws any other error */
export function ifGivenUp(error: unknown): undefined {
  if (!isPrimaryError(error, 'given-up')) throw error
}

/** The WAL does not say what it must say if nothing was lost. */
export function discontinuous(message: string): PrimaryError {
  return new PrimaryError('wal-discontinuous', message)
}

/** The database was rebuilt with pages of another size. */
export function pageSizeChanged(pageSize: number): PrimaryError {
  return new PrimaryError('page-size-changed', `the page size of the database is now ${pageSize}`)
}

/** Turns an error of our own file operations into a {@link PrimaryError} where its meaning is known. */
export function wrapFileError(error: unknown, what: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PrimaryError('disk-full', `no space left: ${what}`, {
      cause: error,
      hint: 'Free disk space. Replication goes on by itself; nothing is lost, the WAL keeps what was not captured.',
    })
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new PrimaryError('state-folder', `not permitted: ${what}`, {
      cause: error,
      hint: 'sqlstream keeps its state in a folder beside the database and needs to write there; use --state-dir for another place.',
    })
  }
  return error
}
