import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { SeatName } from './log-record.ts'
import { replaceFile, replaceFileLater } from './replace-file.ts'
import type { StateFolder } from './state-folder.ts'

/** Says that captures of this database are in a log: there is one as long as they may not be anywhere else. */
export interface Seat {
  /** Absolute path of the folder of the log. */
  readonly log: string
  readonly name: SeatName
  /** Of the log, as long as it has lost nothing; undefined where that is not known. */
  readonly logId: string | undefined
}

/** A name that no other seat has. */
export function newSeatName(): SeatName {
  const bytes = randomBytes(8)
  return { high: bytes.readUInt32BE(0), low: bytes.readUInt32BE(4) }
}

/** The name as a key of maps, and in files. */
export function seatKey({ high, low }: SeatName): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

/** Notes the seat durably. The path of the log is kept relative, so that a tree of databases can be moved with its log. */
export function writeSeat(folder: StateFolder, seat: Seat): void {
  replaceFile(folder.seat, (fd) => writeFileSync(fd, contentOf(folder, seat)))
}

/** Does the same without holding up this thread. */
export function writeSeatLater(folder: StateFolder, seat: Seat): Promise<void> {
  return replaceFileLater(folder.seat, contentOf(folder, seat))
}

function contentOf(folder: StateFolder, seat: Seat): string {
  const { log, name, logId } = seat
  return `${JSON.stringify({ log: relative(folder.path, log), seat: seatKey(name), logId })}\n`
}

/** Undefined when nothing of the database is in a log. @throws the system's error */
export function readSeat(folder: StateFolder): Seat | undefined {
  let content: { log: string; seat: string; logId?: string }
  try {
    content = JSON.parse(readFileSync(folder.seat, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (!(error instanceof SyntaxError)) throw error
    // Damaged: a log that knows nothing of it.
    content = { log: '.', seat: '' }
  }
  const { log, seat, logId } = content
  return {
    log: resolve(folder.path, log),
    name: { high: Number.parseInt(seat.slice(0, 8), 16), low: Number.parseInt(seat.slice(8), 16) },
    logId,
  }
}

/** Everything is in the files of the database itself. Need not be durable: a seat that comes back finds nothing new in its log. */
export function removeSeat(folder: StateFolder): void {
  rmSync(folder.seat, { force: true })
}
