import { linkSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { PrimaryError } from './errors.ts'
import { isBusy, openDatabase } from './sqlite/connection.ts'

/**
 * Refuses a database that another connection has open: whoever has it would go on with a file that has no name any more once it is replaced,
 * and lose what it commits. A connection in WAL mode is seen as long as it is open, one with a rollback journal only inside a transaction:
 * that is what SQLite's locks tell.
 *
 * The lock is tried for under a second name of the file, which is removed again. So neither a WAL nor a hot journal beside it is applied: the file
 * stays byte for byte what it is. Where the file system has no second names, and for files that are no database, nothing is refused.
 *
 * @throws PrimaryError `busy`
 */
export async function refuseIfOpen(path: string): Promise<void> {
  const name = join(dirname(path), `.${basename(path)}.sqlstream-probe`)
  // Of a probe that was killed.
  removeProbe(name)
  try {
    linkSync(path, name)
  } catch {
    return
  }
  try {
    if (isLocked(name)) {
      throw new PrimaryError('busy', `${path} is open in another process`, {
        hint: 'Stop the application (and sqlstream replicate) first, or restore to another path: it would go on with the replaced file, and what it commits would be lost.',
      })
    }
  } finally {
    removeProbe(name)
  }
}

function isLocked(path: string): boolean {
  try {
    const db = openDatabase(path, false, 0)
    try {
      // In WAL mode too, this asks for the lock that each other connection holds a share of.
      db.pragma('locking_mode = EXCLUSIVE')
      db.exec('BEGIN EXCLUSIVE; ROLLBACK')
      return false
    } finally {
      db.close()
    }
  } catch (error) {
    return isBusy(error) || (error instanceof PrimaryError && error.code === 'exclusive-locking')
  }
}

function removeProbe(name: string): void {
  // Who asks for the whole lock at once needs no shared memory, so there is no file of it.
  for (const suffix of ['', '-wal', '-journal']) rmSync(name + suffix, { force: true })
}
