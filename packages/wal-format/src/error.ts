/** What is wrong with the bytes, for programs. */
export type WALErrorCode = 'bad-magic' | 'bad-header' | 'bad-version' | 'bad-checksum' | 'page-size-mismatch'

/** Bytes are not what SQLite's format says. Programs act on `code`, people read `message`. */
export class WALError extends Error {
  override readonly name = 'WALError'
  readonly code: WALErrorCode
  /** What a person can do about it, when something can be done. */
  readonly hint?: string

  constructor(
    code: WALErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly hint?: string },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options?.hint !== undefined) this.hint = options.hint
  }
}

/**
 * Whether `error` is a {@link WALError}, with this `code` if one is given. Looks at name and code, so
 * that two installed copies of the package do no harm.
 */
export function isWALError(error: unknown, code?: WALErrorCode): error is WALError {
  return (
    error instanceof Error &&
    error.name === 'WALError' &&
    'code' in error &&
    (code === undefined || error.code === code)
  )
}
