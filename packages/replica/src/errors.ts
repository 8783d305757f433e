import type { LTXFile } from './catalog.ts'

/**
 * What went wrong with a replica, for programs. A new code is a minor release.
 *
 * - `no-snapshot`: no complete file that starts at TXID 1 serves as a base.
 * - `gap`: transactions, or a part of a WAL, are missing between the base and the target.
 * - `target-before-first`, `target-after-last`: the wish lies outside of what is kept.
 * - `txid-not-restorable`: the TXID lies inside a merged file; only its ends can be restored.
 * - `corrupt`: a file's bytes, header or identity are not what was written.
 * - `diverged`: a file belongs to another history of the database.
 * - `fenced`: another writer has written here.
 * - `sink-exists`: the restore target exists and overwriting was not asked for.
 * - `disk-full`: the restore target's file system has no room.
 * - `bad-name`: a key where an LTX file belongs does not parse.
 * - `check-failed`: the restored database did not pass the integrity check.
 * - `bad-policy`: a retention policy contradicts itself.
 * - `unsafe-removal`: what retention would leave does not hold what its policy promises; nothing was removed.
 * - `no-generation`: there is no generation of Litestream 0.3 with that name.
 */
export type ReplicaErrorCode =
  | 'no-snapshot'
  | 'gap'
  | 'target-before-first'
  | 'target-after-last'
  | 'txid-not-restorable'
  | 'corrupt'
  | 'diverged'
  | 'fenced'
  | 'sink-exists'
  | 'disk-full'
  | 'bad-name'
  | 'check-failed'
  | 'bad-policy'
  | 'unsafe-removal'
  | 'no-generation'

/** What a `ReplicaError` carries besides code and message. */
export interface ReplicaErrorOptions {
  readonly cause?: unknown
  /** One sentence on what a person can do. */
  readonly hint?: string | undefined
  /** The file that the error is about. */
  readonly file?: LTXFile | undefined
}

/** Every error of this package that is not the caller's mistake, the store's error or an abort. */
export class ReplicaError extends Error {
  override readonly name: 'ReplicaError' = 'ReplicaError'
  readonly code: ReplicaErrorCode
  /** One sentence on what a person can do. */
  readonly hint?: string
  /** The file that the error is about. */
  readonly file?: LTXFile

  constructor(code: ReplicaErrorCode, message: string, options: ReplicaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
    if (options.file !== undefined) this.file = options.file
  }
}

/** By name and code, not instanceof: two copies of this package may be installed. */
export function isReplicaError(error: unknown, code?: ReplicaErrorCode): error is ReplicaError {
  if (!(error instanceof Error) || error.name !== 'ReplicaError') return false
  return code === undefined || (error as ReplicaError).code === code
}

/** The error for a file whose bytes are not what was written. */
export function corruptFile(file: LTXFile, cause: Error): ReplicaError {
  return new ReplicaError('corrupt', `${file.key}: ${cause.message}`, {
    cause,
    file,
    hint: 'verify at depth bytes tells which files are damaged; a state before this file, or one that another file leads to, can be restored.',
  })
}
