import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { PrimaryError, wrapFileError } from '../errors.ts'

/** The paths of one database's local state. Made when they are asked for: ten thousand databases have one each. */
export class StateFolder {
  readonly path: string

  /** @param path absolute */
  constructor(path: string) {
    this.path = path
  }

  /** Page checksums and position, replaced atomically. */
  get ledger(): string {
    return join(this.path, 'ledger')
  }

  /** Captures since the ledger was written. */
  get journal(): string {
    return join(this.path, 'journal')
  }

  /** Level-0 files that are not known to be in the replica. */
  get spool(): string {
    return join(this.path, 'spool')
  }

  /** Identity of the database, chosen at the first start. */
  get identity(): string {
    return join(this.path, 'identity.json')
  }

  /** Names this folder in leases. */
  get place(): string {
    return join(this.path, 'place')
  }

  /** Files that were captured, never uploaded, and are no part of the replica's history. */
  get kept(): string {
    return join(this.path, 'kept')
  }

  /** What the replica lacks of what was captured, and given up. */
  get owed(): string {
    return join(this.path, 'owed')
  }

  /** Says that captures are in a log that is shared with other databases. */
  get seat(): string {
    return join(this.path, 'seat')
  }

  /** How the database was left when it was let go; there only while it rests. */
  get rest(): string {
    return join(this.path, 'rest.json')
  }

  get lock(): string {
    return join(this.path, 'lock')
  }

  get lockOwner(): string {
    return join(this.path, 'lock-owner')
  }
}

/** The default state folder of a database: `.<file>-sqlstream` beside it. */
export function stateFolder(database: string, path?: string): StateFolder {
  const full = resolve(database)
  return new StateFolder(
    path === undefined ? join(dirname(full), `.${basename(full)}-sqlstream`) : resolve(path),
  )
}

/**
 * Creates the folders of a {@link StateFolder}, durably.
 * @param known this process has done it before: if they are there, that is enough
 * @throws PrimaryError `state-folder`, `disk-full`
 */
export function createStateFolder(folder: StateFolder, known = false): void {
  try {
    const made = mkdirSync(folder.spool, { recursive: true })
    if (made === undefined && known) return
    syncFolder(folder.path)
    syncFolder(dirname(folder.path))
  } catch (error) {
    throw wrapFileError(error, `creating ${folder.path}`)
  }
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Held while a process replicates a database; the operating system lets it go when that process dies. */
export interface LocalLock {
  release(): void
}

/**
 * Takes the local lock. It is an SQLite lock on a file of our own: kernel locks need no clean-up
 * after a crash, and Node has no other way to take one.
 *
 * @throws PrimaryError `locked` when another process holds it
 */
export function takeLocalLock(folder: Pick<StateFolder, 'lock' | 'lockOwner'>): LocalLock {
  let db: Database.Database
  try {
    db = new Database(folder.lock, { timeout: 1000 })
  } catch (error) {
    throw new PrimaryError('state-folder', `cannot open ${folder.lock}`, { cause: error })
  }
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
      throw new PrimaryError('state-folder', `cannot lock ${folder.lock}`, { cause: error })
    }
    throw new PrimaryError('locked', `another process replicates this database (${lockOwner(folder)})`, {
      cause: error,
      hint: 'Stop the other process, or let it go on: one replicator per database is enough.',
    })
  }
  writeFileSync(folder.lockOwner, `pid ${process.pid}\n`)
  return {
    release() {
      if (db.open) db.close()
    },
  }
}

/** True while some process holds the local lock. */
export function isLocked(folder: StateFolder): boolean {
  let db: Database.Database | undefined
  try {
    db = new Database(folder.lock, { timeout: 0, readonly: true, fileMustExist: true })
    db.prepare('SELECT 1 FROM sqlite_schema').all()
    return false
  } catch (error) {
    return (error as { code?: string }).code === 'SQLITE_BUSY'
  } finally {
    db?.close()
  }
}

/** Who holds the lock, as text for people. */
export function lockOwner(folder: Pick<StateFolder, 'lockOwner'>): string {
  try {
    return readFileSync(folder.lockOwner, 'utf8').trim()
  } catch {
    return 'owner unknown'
  }
}
