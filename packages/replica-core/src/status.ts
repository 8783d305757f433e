import { existsSync, statSync } from 'node:fs'
import { decodeHeader, HEADER_SIZE, type Pos } from '@sqlstream/ltx'
import { Journal, type Reached, replayRecord } from './state/journal.ts'
import { readLedgerFile } from './state/ledger-file.ts'
import { readOwed } from './state/owed.ts'
import { type LogContent, type LoggedDatabase, readLog } from './state/read-log.ts'
import { readSeat, seatKey } from './state/seat.ts'
import { Spool } from './state/spool.ts'
import { isLocked, type StateFolder, stateFolder } from './state/state-folder.ts'

/** What the state folder of a database says. */
export interface LocalStatus {
  readonly database: string
  readonly stateDir: string
  /** A process replicates the database now. */
  readonly running: boolean
  /** It was let go with everything in its replica: its process looks for writes, or the next one will. */
  readonly resting?: true
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
  /** Captures were given up for want of disk space; the replica lacks them until all pages were compared. */
  readonly givenUp?: true
}

/** Settings of {@link readStatus}. */
export interface StatusOptions {
  readonly stateDir?: string
  /** Logs that were read, by their folder: kept from one database to the next of those that share one. */
  readonly logs?: Map<string, LogContent>
}

/** Reads the local state without opening the database. Undefined when it was never replicated from here. */
export async function readStatus(
  database: string,
  options: StatusOptions = {},
): Promise<LocalStatus | undefined> {
  const folder = stateFolder(database, options.stateDir)
  if (!existsSync(folder.path)) return undefined
  const running = existsSync(folder.lock) && isLocked(folder)
  // Before the files: what leaves it is in them by then.
  const logged = loggedOf(folder, options.logs)
  const reached = replayed(folder)
  const pending = existsSync(folder.spool) ? Spool.read(folder.spool) : []
  // The first one is the oldest; it may have been uploaded meanwhile.
  let since = pending[0] && statSync(pending[0].path, { throwIfNoEntry: false })?.mtimeMs
  let pendingFiles = pending.length
  let pendingBytes = pending.reduce((sum, { size }) => sum + size, 0)
  for (const { content, journalRecord } of reached ? (logged?.captures ?? []) : []) {
    if (replayRecord(journalRecord, reached as Reached) !== 'applied' || content.length === 0) continue
    const { maxTXID, timestamp } = decodeHeader(content.subarray(0, HEADER_SIZE))
    if (maxTXID <= (logged?.acknowledged ?? 0n)) continue
    since ??= timestamp
    pendingFiles++
    pendingBytes += content.length
  }
  const position = reached?.position
  return {
    database,
    stateDir: folder.path,
    running,
    ...(!running && existsSync(folder.rest) && { resting: true }),
    ...(position && {
      captured: { txid: position.txid, postApplyChecksum: position.postApplyChecksum },
      timestamp: position.timestamp,
      databaseBytes: position.commit * position.pageSize,
    }),
    pendingFiles,
    pendingBytes,
    ...(since !== undefined && { pendingSince: since }),
    ...(readOwed(folder.owed) !== undefined && { givenUp: true }),
  }
}

function loggedOf(
  folder: StateFolder,
  logs: Map<string, LogContent> | undefined,
): LoggedDatabase | undefined {
  const seat = readSeat(folder)
  if (seat === undefined) return undefined
  let content = logs?.get(seat.log)
  if (content === undefined) {
    content = readLog(seat.log)
    logs?.set(seat.log, content)
  }
  return content.databases.get(seatKey(seat.name))
}

/** What ledger and journal say. Undefined when that proves nothing. */
function replayed(folder: StateFolder): Reached | undefined {
  const file = readLedgerFile(folder.ledger)
  if (file === undefined) return undefined
  const { sequence, position, ledger } = file
  if (!existsSync(folder.journal)) return { sequence, position, ledger }
  const journal = new Journal(folder.journal)
  const reached = journal.replay(sequence, position, ledger)
  journal.close()
  return reached && { ...reached, ledger }
}
