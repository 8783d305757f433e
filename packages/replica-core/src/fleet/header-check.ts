import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { DATABASE_HEADER_SIZE, decodeDatabaseHeader, isWALError } from '@sqlstream/wal'
import { closeWhenDetached, isAttached } from '../sqlite/database-files.ts'
import type { Candidate } from './scan-folder.ts'

/**
 * - `wal`: a database in WAL mode
 * - `not-wal`: a database in another journal mode
 * - `not-a-database`: another kind of file, or an encrypted database
 * - `empty`: no bytes yet; it may become one
 */
export type DatabaseKind = 'wal' | 'not-wal' | 'not-a-database' | 'empty'

/** Which databases this process has open, and what to do with a descriptor of one that may not be closed. */
export interface AttachedFiles {
  isAttached(dev: bigint, ino: bigint): boolean
  /** Closes `fd` when SQLite has let the database go. */
  closeWhenDetached(dev: bigint, ino: bigint, fd: number): void
}

/** What this thread has attached. Databases that other threads attach need a list that spans threads. */
export const ATTACHED_HERE: AttachedFiles = { isAttached, closeWhenDetached }

/**
 * Reads from its header what a file is. A database that is attached is not opened, since closing it would drop SQLite's
 * locks on it: it is `wal`, or it could not be attached. All in one go, so that nothing is attached in between.
 *
 * Throws errors of the file system as they are; `ENOENT` when the file vanished.
 */
export function checkHeader(
  candidate: Pick<Candidate, 'path' | 'dev' | 'ino' | 'size'>,
  attached: AttachedFiles = ATTACHED_HERE,
): DatabaseKind {
  if (attached.isAttached(candidate.dev, candidate.ino)) return 'wal'
  if (candidate.size === 0) return 'empty'
  // Non-blocking, because the name may lead to a pipe by now.
  const fd = openSync(candidate.path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  let keep: { dev: bigint; ino: bigint } | undefined
  try {
    const stat = fstatSync(fd, { bigint: true })
    // The name leads to another file than when it was looked at, of all files to an attached one.
    if (attached.isAttached(stat.dev, stat.ino)) {
      keep = stat
      return 'wal'
    }
    if (!stat.isFile()) return 'not-a-database'
    const bytes = new Uint8Array(DATABASE_HEADER_SIZE)
    const read = readSync(fd, bytes, 0, bytes.length, 0)
    return read === 0 ? 'empty' : kindOf(bytes.subarray(0, read))
  } finally {
    if (keep === undefined) closeSync(fd)
    else attached.closeWhenDetached(keep.dev, keep.ino, fd)
  }
}

/** What lies at a path, of which nothing is known yet; `missing` where nothing does. Throws other errors of the file system as they are. */
export function databaseKind(path: string): DatabaseKind | 'missing' {
  try {
    const { dev, ino, size } = statSync(path, { bigint: true })
    return checkHeader({ path, dev, ino, size: Number(size) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
}

function kindOf(header: Uint8Array): DatabaseKind {
  try {
    return decodeDatabaseHeader(header).journalMode === 'wal' ? 'wal' : 'not-wal'
  } catch (error) {
    if (isWALError(error)) return 'not-a-database'
    throw error
  }
}
