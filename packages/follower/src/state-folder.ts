import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { FollowerError } from './errors.ts'

/** What lies beside a copy, in `.<file>-follow`. */
export interface StateFolder {
  readonly path: string
  /** See `NotesFile`. */
  readonly notes: string
  /** A rollback journal that is not in force yet. */
  readonly journal: string
  /** Pages that are to be applied and do not fit into memory. */
  readonly staged: string
  readonly lock: string
}

/** The folder of a copy; of a link to one, that of the file itself. */
export function stateFolder(file: string): StateFolder {
  const full = existsSync(file) ? realpathSync(file) : resolve(file)
  const path = join(dirname(full), `.${basename(full)}-follow`)
  return {
    path,
    notes: join(path, 'position'),
    journal: join(path, 'journal'),
    staged: join(path, 'staged'),
    lock: join(path, 'lock'),
  }
}

/** Creates the folder durably. */
export function createStateFolder({ path }: StateFolder): void {
  const made = mkdirSync(path, { recursive: true })
  if (made !== undefined) syncFolder(dirname(made))
}

/** Makes the names in a folder survive a power cut. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Removes the folder: the file is no copy any more. */
export function removeStateFolder({ path }: StateFolder): void {
  rmSync(path, { recursive: true, force: true })
  syncFolder(dirname(path))
}

/** Held while a process keeps a copy; the operating system lets it go when that process dies. */
export interface LocalLock {
  release(): void
}

/** Takes the lock of a copy: one of SQLite on a file of our own. @throws FollowerError `locked` */
export function takeLocalLock({ lock }: StateFolder): LocalLock {
  const db = new Database(lock, { timeout: 1000 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    throw new FollowerError('locked', 'another process keeps this copy', {
      cause: error,
      hint: 'One is enough: any number of readers may open the file.',
    })
  }
  return {
    release() {
      if (db.open) db.close()
    },
  }
}
