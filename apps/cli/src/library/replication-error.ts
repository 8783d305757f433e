import type { WireError } from './messages.ts'

/** Why the engine as a process fails; every other code is that of the error inside of the engine. */
export type EngineErrorCode =
  /** It died again and again, or cannot be started. It is tried again, ever more slowly. */
  | 'engine-failing'
  /** What is installed now is not the version that this process has loaded. Restart the application. */
  | 'engine-version'
  /** The replication is closed. */
  | 'closed'
  /** The call makes no sense as it is. */
  | 'usage'

/**
 * What goes wrong with a replication. `code` is one of {@link EngineErrorCode}, or that of the error in the engine, the same as the
 * command line shows: `bad-config`, `unknown-scheme`, `lease-held`, `fenced`, `permission-denied` and so on.
 */
export class ReplicationError extends Error {
  override readonly name = 'ReplicationError'
  readonly code: string
  /** One sentence on what a person can do. */
  readonly hint?: string

  constructor(code: string, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Recognises a {@link ReplicationError} by name and code, so that two installed copies do no harm. */
export function isReplicationError(error: unknown, code?: string): error is ReplicationError {
  return (
    error instanceof Error &&
    error.name === 'ReplicationError' &&
    (code === undefined || (error as ReplicationError).code === code)
  )
}

/** An error that came over from the engine. */
export function fromWire({ code, message, hint }: WireError): ReplicationError {
  return new ReplicationError(code, message, { hint })
}
