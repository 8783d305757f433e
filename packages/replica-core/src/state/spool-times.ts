import { existsSync } from 'node:fs'
import { isLTXError, type TXID } from '@sqlstream/ltx'
import { readSpoolHeader, Spool } from './spool.ts'
import { stateFolder } from './state-folder.ts'

/** When each file of a spool folder was captured, ms since the epoch, oldest first. */
export function spoolTimes(folder: string): { readonly txid: TXID; readonly since: number }[] {
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
    return spoolTimes(stateFolder(database, stateDir).spool)[0]?.since
  } catch {
    return undefined
  }
}
