import { existsSync, statSync } from 'node:fs'
import type { TXID } from '@sqlstream/ltx'
import { Spool } from './spool.ts'
import { stateFolder } from './state-folder.ts'

/** When each file of a spool folder was captured, ms since the epoch, oldest first. */
export function spoolTimes(folder: string): { readonly txid: TXID; readonly since: number }[] {
  if (!existsSync(folder)) return []
  return Spool.read(folder).flatMap(({ path, maxTXID }) => {
    // It may have been uploaded meanwhile.
    const found = statSync(path, { throwIfNoEntry: false })
    return found === undefined ? [] : [{ txid: maxTXID, since: found.mtimeMs }]
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
