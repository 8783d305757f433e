import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatTXID, parseTXID, type TXID } from '@sqlstream/ltx'
import type { RestoreResult } from '@sqlstream/replica'
import { Journal, newSequence } from './journal.ts'
import { Ledger } from './ledger.ts'
import { writeLedgerFile } from './ledger-file.ts'
import { writeOwnIdentity } from './own-identity.ts'
import { repairFromSeat } from './repair.ts'
import { type KeptFiles, Spool } from './spool.ts'
import { createStateFolder, type StateFolder, stateFolder, takeLocalLock } from './state-folder.ts'

/** Where a restored database came from. */
export interface Restored {
  /** Head of the replica at that time; greater than the restored TXID after a restore to the past. */
  readonly headTXID: TXID
}

/**
 * Writes the state of a database that was just restored, so that `replicate` goes on with what
 * changes from here instead of a whole image, and knows a deliberate return to the past.
 *
 * @param databaseId identity of the replica it was restored from, if it has one
 * @returns what had been captured here before and was never uploaded: moved aside
 * @throws PrimaryError `locked`, `state-folder`, `disk-full`
 */
export async function adoptRestored(
  database: string,
  result: RestoreResult,
  origin: { readonly head: TXID; readonly databaseId?: string | undefined; readonly stateDir?: string },
): Promise<KeptFiles | undefined> {
  const folder = stateFolder(database, origin.stateDir)
  createStateFolder(folder)
  const lock = takeLocalLock(folder)
  try {
    repairFromSeat(folder)
    const kept = new Spool(folder.spool).keepAll(folder.kept)
    rmSync(folder.spool, { recursive: true, force: true })
    rmSync(folder.identity, { force: true })
    rmSync(folder.rest, { force: true })
    createStateFolder(folder)
    const journal = new Journal(folder.journal)
    journal.clear()
    journal.close()
    if (!result.proven) {
      // Nothing to continue from: replicate will compare or take a snapshot.
      rmSync(folder.ledger, { force: true })
      return kept
    }
    const ledger = Ledger.from(result.pageSums, result.commit)
    const nowhere = { salt1: 0, salt2: 0, frame: 0, checksum1: 0, checksum2: 0 }
    writeLedgerFile(folder.ledger, {
      sequence: newSequence(),
      ledger,
      position: {
        txid: result.pos.txid,
        postApplyChecksum: ledger.checksum,
        pageSize: result.pageSize,
        commit: result.commit,
        timestamp: result.timestamp.getTime(),
        wal: nowhere,
      },
    })
    writeFileSync(restoredPath(folder), `${JSON.stringify({ headTXID: formatTXID(origin.head) })}\n`)
    if (origin.databaseId !== undefined) writeOwnIdentity(folder, { databaseId: origin.databaseId })
    return kept
  } finally {
    lock.release()
  }
}

/** The origin of a restored database; undefined when it was not restored by sqlstream. */
export function readRestored(folder: StateFolder): Restored | undefined {
  try {
    const content = JSON.parse(readFileSync(restoredPath(folder), 'utf8')) as { headTXID: string }
    return { headTXID: parseTXID(content.headTXID) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function restoredPath(folder: StateFolder): string {
  return join(folder.path, 'restored.json')
}
