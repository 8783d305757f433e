import { constants } from 'node:os'
import { CLIError } from '../cli-error.ts'
import { describeFailure } from '../failure.ts'

/** How an application ended: with a code, or by a signal. */
export interface ApplicationEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What a shell would return for a program that ended so. */
export function exitCodeOfEnd({ code, signal }: ApplicationEnd): number {
  return signal === null ? (code ?? 0) : 128 + constants.signals[signal]
}

/**
 * The error of a run whose application has ended; undefined where the code of that is ours. Pure.
 *
 * @param refusal why the application was told to end
 * @param left for each database of which not everything is in the replica, why
 */
export function failureOfRun(
  end: ApplicationEnd,
  refusal: Error | undefined,
  left: ReadonlyMap<string, Error>,
): Error | undefined {
  if (refusal !== undefined) return refusal
  return left.size > 0 && exitCodeOfEnd(end) === 0 ? notUploaded(left) : undefined
}

/** What of the databases is not safe, as one error. */
export function notUploaded(left: ReadonlyMap<string, Error>): CLIError {
  const databases = [...left].map(([database, error]) => {
    const { message, code } = describeFailure(error)
    return `${database} (${code}: ${message})`
  })
  return new CLIError(
    'not-uploaded',
    `not everything that the application committed is in the replica of ${databases.join(', ')}`,
    'it is kept beside the database, and the next start on this disk uploads it; on a disk that goes away now it is lost',
  )
}
