/** What the command line itself finds wrong. */
export type CLIErrorCode =
  | 'usage'
  | 'unknown-scheme'
  | 'bad-url'
  | 'bad-config'
  | 'driver-missing'
  | 'driver-failed'
  | 'bad-driver'
  | 'driver-conflict'
  | 'file-missing'
  | 'no-backup'
  | 'corrupt'
  | 'target-exists'
  | 'output-closed'
  | 'interrupted'
  | 'no-process'
  | 'several-processes'
  | 'unknown-database'
  | 'already-registered'
  | 'database-stopped'
  | 'member-of-folder'
  | 'socket-in-use'
  | 'address-in-use'
  | 'no-answer'
  | 'stopping'
  | 'timed-out'
  | 'command-not-found'
  | 'not-uploaded'

/** An error of the command line: one sentence, and a hint on what a person can do. */
export class CLIError extends Error {
  override readonly name = 'CLIError'
  readonly code: CLIErrorCode
  readonly hint?: string

  constructor(code: CLIErrorCode, message: string, hint?: string) {
    super(message)
    this.code = code
    if (hint !== undefined) this.hint = hint
  }
}
