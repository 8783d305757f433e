import { redactText } from '@sqlstream/storage'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import { hintFor } from './hints.ts'

/** An error as people and scripts get it: one line, a code, perhaps a hint, an exit code. */
export interface Failure {
  readonly message: string
  readonly code: string
  readonly hint?: string
  readonly exit: ExitCode
}

interface ErrorLike {
  readonly name?: string
  readonly message?: string
  readonly code?: unknown
  readonly hint?: unknown
  /** Of an error that another process has described. */
  readonly exit?: unknown
  readonly syscall?: unknown
  readonly oclif?: { readonly exit?: number }
  readonly cause?: unknown
}

/** The parser of the command line throws errors that carry an exit code and several lines of text. */
function parserFailure(error: ErrorLike): Failure {
  const text = (error.message ?? '').replace(/\s*See more help with --help\s*$/, '')
  const message = oneLine(text).replaceAll(/ {2,}/g, ' ')
  return { message, code: 'usage', hint: 'add --help to see how the command is used', exit: EXIT.usage }
}

function oneLine(text: string): string {
  return redactText(text.replaceAll(/\s*\n\s*/g, ' ').trim())
}

/** Turns whatever was thrown into a {@link Failure}. Credentials in URLs are removed. */
export function describeFailure(error: unknown): Failure {
  const e = (typeof error === 'object' && error !== null ? error : { message: String(error) }) as ErrorLike
  if (e.oclif !== undefined) return parserFailure(e)
  if (e.name === 'AbortError') return { message: 'interrupted', code: 'interrupted', exit: EXIT.interrupted }
  const code = typeof e.code === 'string' ? e.code : 'unexpected'
  const name = e.syscall === undefined ? (e.name ?? 'Error') : 'SystemError'
  const message = oneLine(e.message ?? '') || 'unknown error'
  const hint = typeof e.hint === 'string' ? oneLine(e.hint) : (hintFrom(e.cause) ?? hintFor(code))
  const exit = name === 'RemoteError' ? (e.exit as ExitCode) : exitCodeOf(name, code)
  const failure = { message, code, exit }
  return hint === undefined ? failure : { ...failure, hint }
}

/** The hint of the error below, when the one on top has none. */
function hintFrom(cause: unknown): string | undefined {
  const hint = (cause as ErrorLike | undefined)?.hint
  return typeof hint === 'string' ? oneLine(hint) : undefined
}

/** The lines for standard error. */
export function failureLines(failure: Failure): string {
  const hint = failure.hint === undefined ? '' : `hint: ${failure.hint}\n`
  return `error: ${failure.message} (${failure.code})\n${hint}`
}
