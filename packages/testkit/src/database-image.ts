import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { scriptArguments } from './child-script.ts'

/** What an image is an image of. */
export interface DatabaseImage {
  /** File that holds the image. */
  readonly path: string
  readonly pageSize: number
  /** Size in pages. */
  readonly pageCount: number
  /** WAL frames that are part of it. */
  readonly mxFrame: number
}

/**
 * Writes the committed pages of a WAL database to `output`: the database file with the newest committed frame
 * of each page over it, bounded by `mxFrame`. Reads in a process of its own, because opening and closing the
 * files in a process that also uses them through SQLite would drop SQLite's locks. The database may be in use:
 * when a checkpoint or a restart of the WAL disturbs the reading, it begins again.
 *
 * @throws Error when the files are no WAL database, or disturbed it for ten seconds
 */
export async function databaseImage(
  database: string,
  output: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<DatabaseImage> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...scriptArguments(new URL('./image-main.ts', import.meta.url)), database, output],
    options,
  )
  return JSON.parse(stdout) as DatabaseImage
}
