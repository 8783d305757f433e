import { existsSync } from 'node:fs'
import { decodeHeader, HEADER_SIZE } from '@sqlstream/ltx'
import { isPrimaryError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { Journal } from './journal.ts'
import { readLedgerFile } from './ledger-file.ts'
import { type LogContent, type LoggedDatabase, readLog, readLogId } from './read-log.ts'
import { readSeat, removeSeat, type Seat, seatKey, writeSeat } from './seat.ts'
import { Spool } from './spool.ts'
import { createStateFolder, StateFolder, takeLocalLock } from './state-folder.ts'

/**
 * What a repair has come to. `whole`: the files have everything. `lost`: the log was damaged, or is gone, so captures may be
 * missing that were uploaded. `outdated`: nothing is missing in the log, but the files are older than what they have already been
 * brought to, as those of an old volume.
 */
export type Repair = 'whole' | 'lost' | 'outdated'

/**
 * Brings into the files of a database what only a log has of it: the level-0 files into the spool, then their records into
 * the journal (SPEC.md, L5). Done again it changes nothing. The caller holds the local lock.
 */
export function repairState(
  folder: StateFolder,
  database: LoggedDatabase,
  failpoint?: FailpointHook,
): Repair {
  const file = readLedgerFile(folder.ledger)
  // Without a ledger nothing can follow it; the next start makes a new one.
  if (file === undefined) return 'whole'
  const journal = new Journal(folder.journal)
  try {
    const replayed = journal.replay(file.sequence, file.position, file.ledger)
    if (replayed === undefined) return 'whole'
    // The spool may be what was lost, and the log the only place that has these captures.
    if (!existsSync(folder.spool)) createStateFolder(folder)
    const spool = new Spool(folder.spool, failpoint)
    let { sequence } = replayed
    for (const capture of database.captures) {
      if (capture.sequence !== sequence + 1) continue
      if (capture.content.length > 0) bringIn(spool, capture.content, database.acknowledged ?? 0n)
      journal.write(capture.journalRecord, failpoint)
      sequence++
    }
    if (sequence > replayed.sequence) journal.syncNow()
    const last = database.captures.at(-1)
    if (database.torn) return 'lost'
    // The ones between were in a segment that was dropped: when the files had them.
    return last === undefined || last.sequence <= sequence ? 'whole' : 'outdated'
  } finally {
    journal.close()
  }
}

function bringIn(spool: Spool, content: Uint8Array, acknowledged: bigint): void {
  const { minTXID, maxTXID } = decodeHeader(content.subarray(0, HEADER_SIZE))
  if (maxTXID <= acknowledged) return
  const writer = spool.create()
  try {
    writer.write(content)
    writer.finish({ minTXID, maxTXID })
  } catch (error) {
    writer.abort()
    throw error
  }
}

/** Repairs the state of a database whose last process kept a log somewhere, if it is there still. The caller holds the local lock. */
export function repairFromSeat(folder: StateFolder, failpoint?: FailpointHook): Repair {
  const seat = readSeat(folder)
  if (seat === undefined) return 'whole'
  const repair = repairInSeat(folder, seat, failpoint)
  removeSeat(folder)
  return repair
}

function repairInSeat(folder: StateFolder, { log, name, logId }: Seat, failpoint?: FailpointHook): Repair {
  const database = readLog(log).databases.get(seatKey(name))
  const repair = database && repairState(folder, database, failpoint)
  if (repair === 'whole' || repair === 'lost') return repair
  // The log forgets a seat when the files of its database have everything; one that it has lost is another matter.
  return logId !== undefined && logId === readLogId(log) ? 'outdated' : 'lost'
}

/**
 * Repairs all databases of which a log knows something: its process died.
 *
 * @param onRepaired called after each, to give way to others
 * @returns whether the segments can go: false while another process may need them
 */
export async function repairAll(
  log: string,
  content: LogContent,
  onRepaired: () => Promise<void>,
): Promise<boolean> {
  let complete = true
  for (const [key, database] of content.databases) {
    const folder = new StateFolder(database.stateFolder)
    // Deleted, or moved: then it is found to know too little, and compared.
    if (!existsSync(folder.path) || !isSeatedIn(folder, log, key)) continue
    complete = repairLocked(folder, database, log, key) && complete
    await onRepaired()
  }
  return complete
}

function isSeatedIn(folder: StateFolder, log: string, key: string): boolean {
  const seat = readSeat(folder)
  return seat !== undefined && seat.log === log && seatKey(seat.name) === key
}

/** False when another process has the database, which repairs it itself. */
function repairLocked(folder: StateFolder, database: LoggedDatabase, log: string, key: string): boolean {
  let lock: ReturnType<typeof takeLocalLock>
  try {
    lock = takeLocalLock(folder)
  } catch (error) {
    if (isPrimaryError(error, 'locked')) return false
    throw error
  }
  try {
    // It may have been repaired by another process just now, and gone on since.
    if (!isSeatedIn(folder, log, key)) return true
    const repair = repairState(folder, database)
    // One that stays will be found to be unknown to the log: that is how the next start hears of it.
    if (repair === 'whole') removeSeat(folder)
    if (repair === 'lost') writeSeat(folder, { log, name: (readSeat(folder) as Seat).name, logId: undefined })
    return true
  } finally {
    lock.release()
  }
}
