/**
 * Why a copy cannot follow. A new code is a minor release.
 *
 * - `target-exists`: a file is there that is no copy of a replica's
 * - `locked`: another process keeps this copy
 * - `local-changed`: the file is not what was applied last; somebody wrote to it, or replaced it
 * - `wrong-replica`: the copy is of another database
 * - `rewound`: the newest state of the replica is older than the copy
 * - `diverged`: the replica's history is not the one that the copy is of
 * - `page-size-changed`: pages have another size now, so that no page of the copy can be kept
 * - `promoted`: the copy was made a database of its own
 * - `empty`: the replica's newest state is a database without a page
 * - `closed`: as named
 */
export type FollowerErrorCode =
  | 'target-exists'
  | 'locked'
  | 'local-changed'
  | 'wrong-replica'
  | 'rewound'
  | 'diverged'
  | 'page-size-changed'
  | 'promoted'
  | 'empty'
  | 'closed'

/** An error of following. `message` says what failed, `hint` what a person can do. */
export class FollowerError extends Error {
  override readonly name = 'FollowerError'
  readonly code: FollowerErrorCode
  readonly hint?: string

  constructor(code: FollowerErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Recognises a {@link FollowerError} by name and code, so that two installed copies do no harm. */
export function isFollowerError(error: unknown, code?: FollowerErrorCode): error is FollowerError {
  return (
    error instanceof Error &&
    error.name === 'FollowerError' &&
    (code === undefined || (error as FollowerError).code === code)
  )
}

/** The file is not what was applied last. */
export function localChanged(path: string, why: string): FollowerError {
  return new FollowerError('local-changed', `${path} is not what was applied last: ${why}`, {
    hint: 'A copy that follows must not be written to. Put the application on a database of its own, or start anew with --force.',
  })
}
