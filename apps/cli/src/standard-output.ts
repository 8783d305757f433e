import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { CLIError } from './cli-error.ts'

/** What stands for standard output where a path is wanted. */
export const STANDARD_OUTPUT = '-'

/** @throws CLIError `usage` when a database cannot be written to standard output */
export function assertStreamable(isTerminal: boolean, isJSON: boolean): void {
  if (isJSON)
    throw new CLIError('usage', 'standard output cannot take both the database and JSON', 'leave --json out')
  if (isTerminal) {
    throw new CLIError(
      'usage',
      'standard output is a terminal, and a database is no text',
      'redirect it, for example: sqlstream restore <url> -o - | gzip > app.db.gz',
    )
  }
}

/**
 * Has a file made in a temporary folder (TMPDIR), then writes it to standard output. Nothing is written before the file is complete.
 *
 * @throws CLIError `output-closed` when nobody reads on
 */
export async function toStandardOutput<T>(
  signal: AbortSignal,
  make: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sqlstream-restore-'))
  try {
    const path = join(folder, 'restored.db')
    const result = await make(path)
    await pipeline(createReadStream(path), process.stdout, { end: false, signal })
    return result
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    throw new CLIError('output-closed', 'standard output was closed before all of the database was written')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
