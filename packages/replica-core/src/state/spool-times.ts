import { existsSync } from 'node:fs'
import { isLTXError, type TXID } from '@sqlstream/ltx'
import { readOwed } from './owed.ts'
import { readSpoolHeader, Spool } from './spool.ts'
import { type StateFolder, stateFolder } from './state-folder.ts'

/** When what is captured and not in the replica was captured, ms since the epoch, oldest first: what was given up, and the files of the spool. */
export function spoolTimes({
  spool,
  owed: path,
}: Pick<StateFolder, 'spool' | 'owed'>): { readonly txid: TXID; readonly since: number }[] {
  const owed = readOwed(path)
  const last = owed?.ends.at(-1)
  const givenUp = owed && last ? [{ txid: last.txid, since: owed.since }] : []
  return [...givenUp, ...fileTimes(spool)]
}

function fileTimes(folder: string): { readonly txid: TXID; readonly since: number }[] {
  if (!existsSync(folder)) return []
  return Spool.read(folder).flatMap((file) => {
    try {
      // Not the time of the file: it may have come out of a log long after its capture.
      return [{ txid: file.maxTXID, since: readSpoolHeader(file).timestamp }]
    } catch (error) {
      // It was uploaded meanwhile, or is damaged, which its upload will tell.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || isLTXError(error)) return []
      throw error
    }
  })
}

/**
 * When the oldest file that a database's earlier replication has left to upload was captured, ms since the epoch; undefined when there
 * is none, or when that cannot be seen.
 */
export function pendingSince(database: string, stateDir?: string): number | undefined {
  try {
    return spoolTimes(stateFolder(database, stateDir))[0]?.since
  } catch {
    return undefined
  }
}
