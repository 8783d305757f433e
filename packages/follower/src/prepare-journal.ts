import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { lockPgno, type PageSize } from '@sqlstream/ltx'
import { encodeJournalHeader, encodeRecord, JOURNAL_HEADER_SIZE, recordSize } from './rollback-journal.ts'

const BUFFER_BYTES = 1024 * 1024

/** What the journal of one change must bring back. */
export interface JournalPlan {
  readonly pageSize: PageSize
  /** Pages before. */
  readonly commit: number
  /** Pages after. */
  readonly newCommit: number
  /** Numbers of the pages that will be written, ascending. */
  readonly pgnos: readonly number[]
  /** Reads a page of the copy as it is in the file. */
  readonly read: (pgno: number, target: Uint8Array) => void
}

/**
 * Writes the journal under a name that SQLite does not know, durably: it takes force when it is renamed. It holds page 1, the pages that will be
 * overwritten, and those that will be cut off.
 */
export function prepareJournal(path: string, plan: JournalPlan): void {
  const { pageSize, commit, read } = plan
  const nonce = randomBytes(4).readUInt32BE()
  const size = recordSize(pageSize)
  const buffer = new Uint8Array(size * Math.max(1, Math.floor(BUFFER_BYTES / size)))
  const page = new Uint8Array(pageSize)
  const fd = openSync(path, 'w')
  try {
    let records = 0
    let filled = 0
    let offset = JOURNAL_HEADER_SIZE
    const flush = (): void => {
      writeAll(fd, buffer.subarray(0, filled), offset)
      offset += filled
      filled = 0
    }
    for (const pgno of oldPages(plan)) {
      read(pgno, page)
      encodeRecord(buffer.subarray(filled), pgno, page, nonce)
      filled += size
      records++
      if (filled === buffer.byteLength) flush()
    }
    flush()
    writeAll(fd, encodeJournalHeader({ records, nonce, commit, pageSize }), 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Writes all bytes at an offset. */
export function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.byteLength; ) {
    done += writeSync(fd, bytes, done, bytes.byteLength - done, offset + done)
  }
}

function* oldPages({ pageSize, commit, newCommit, pgnos }: JournalPlan): Generator<number, void, void> {
  // SQLite ends a rollback at a record for the lock page.
  const lock = lockPgno(pageSize)
  yield 1
  for (const pgno of pgnos) if (pgno !== 1 && pgno <= Math.min(commit, newCommit)) yield pgno
  for (let pgno = newCommit + 1; pgno <= commit; pgno++) if (pgno !== lock && pgno !== 1) yield pgno
}
