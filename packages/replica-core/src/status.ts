import { existsSync, statSync } from 'node:fs'
import type { Pos } from '@sqlstream/ltx'
import { Journal } from './state/journal.ts'
import { readLedgerFile } from './state/ledger-file.ts'
import { Spool } from './state/spool.ts'
import { isLocked, stateFolder } from './state/state-folder.ts'

/** What the state folder of a database says. */
export interface LocalStatus {
  readonly database: string
  readonly stateDir: string
  /** A process replicates the database now. */
  readonly running: boolean
  /** Last captured transaction; absent before the first snapshot. */
  readonly captured?: Pos
  /** Its time, ms since the epoch. */
  readonly timestamp?: number
  /** Size of the database at that time, in bytes. */
  readonly databaseBytes?: number
  /** Captured, but not acknowledged by the replica. */
  readonly pendingFiles: number
  readonly pendingBytes: number
  /** When the oldest of them was captured, ms since the epoch; absent when none waits. */
  readonly pendingSince?: number
}

/** Reads the local state without opening the database. Undefined when it was never replicated from here. */
export async function readStatus(
  database: string,
  options: { readonly stateDir?: string } = {},
): Promise<LocalStatus | undefined> {
  const folder = stateFolder(database, options.stateDir)
  if (!existsSync(folder.path)) return undefined
  const running = existsSync(folder.lock) && isLocked(folder)
  const file = readLedgerFile(folder.ledger)
  const journal = file && existsSync(folder.journal) ? new Journal(folder.journal) : undefined
  const position =
    file && (journal?.replay(file.sequence, file.position, file.ledger)?.position ?? file.position)
  journal?.close()
  const pending = existsSync(folder.spool) ? Spool.read(folder.spool) : []
  // The first one is the oldest; it may have been uploaded meanwhile.
  const since = pending[0] && statSync(pending[0].path, { throwIfNoEntry: false })?.mtimeMs
  return {
    database,
    stateDir: folder.path,
    running,
    ...(position && {
      captured: { txid: position.txid, postApplyChecksum: position.postApplyChecksum },
      timestamp: position.timestamp,
      databaseBytes: position.commit * position.pageSize,
    }),
    pendingFiles: pending.length,
    pendingBytes: pending.reduce((sum, { size }) => sum + size, 0),
    ...(since !== undefined && { pendingSince: since }),
  }
}
