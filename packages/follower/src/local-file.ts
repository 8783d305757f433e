import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPageSize, type PageSize } from '@sqlstream/ltx'
import Database from 'better-sqlite3'
import { FollowerError, localChanged } from './errors.ts'
import type { FailpointHook } from './failpoint.ts'
import { counterOf, isWAL } from './page-one.ts'
import { prepareJournal, writeAll } from './prepare-journal.ts'
import { type StateFolder, syncFolder } from './state-folder.ts'

/** With 0, SQLite does not keep new readers out while it waits, and busy readers starve it. */
const BUSY_TIMEOUT_MS = 250
const WRITE_BYTES = 1024 * 1024

/** One transaction on a copy. */
export interface FileChange {
  /** Pages afterwards. */
  readonly commit: number
  /** Numbers of the pages to write, page 1 among them, ascending. */
  readonly pgnos: readonly number[]
  /** Gives a page to write. */
  readonly read: (pgno: number, target: Uint8Array) => void
  /** Called when all is ready and nothing is changed yet: to note what is about to happen. */
  readonly note: () => void
  readonly signal?: AbortSignal | undefined
}

/**
 * The file of a copy. Readers of other processes see each change whole or not at all, and after a crash SQLite itself goes back to the state
 * before: every change goes through a rollback journal of SQLite's, written here, under SQLite's own exclusive lock.
 *
 * Opens the file once, before SQLite does, and closes it after SQLite has: closing any descriptor of a file drops all locks that the process has on it.
 */
export class LocalFile {
  readonly path: string
  readonly pageSize: PageSize
  readonly #fd: number
  readonly #db: Database.Database
  readonly #folder: StateFolder
  readonly #failpoint: FailpointHook

  /** Rolls back what a crash has left. @throws FollowerError `local-changed` for what is no database with a rollback journal */
  static open(path: string, folder: StateFolder, failpoint: FailpointHook = () => undefined): LocalFile {
    // SQLite looks for the journal beside the file itself, not beside a link to it.
    const full = realpathSync(path)
    const fd = openSync(full, 'r+')
    let db: Database.Database | undefined
    try {
      rmSync(folder.journal, { force: true })
      // An application's database must not even be opened. With a journal in force it is not one yet.
      if (readsAsWAL(fd) && !existsSync(`${full}-journal`)) throw promotedError(path)
      db = new Database(full, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS * 20 })
      // The first reading applies a journal that is in force.
      db.pragma('user_version')
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
      return new LocalFile(full, fd, db, folder, failpoint)
    } catch (error) {
      db?.close()
      closeSync(fd)
      const { code = '' } = error as { code?: string }
      if (!/^SQLITE_(NOTADB|CORRUPT|CANTOPEN)/.test(code)) throw error
      throw localChanged(path, (error as Error).message)
    }
  }

  private constructor(
    path: string,
    fd: number,
    db: Database.Database,
    folder: StateFolder,
    failpoint: FailpointHook,
  ) {
    this.path = path
    this.#fd = fd
    this.#db = db
    this.#folder = folder
    this.#failpoint = failpoint
    const header = new Uint8Array(100)
    readSync(fd, header, 0, header.byteLength, 0)
    const size = ((header[16] as number) << 8) | (header[17] as number)
    const pageSize = size === 1 ? 65536 : size
    if (!isPageSize(pageSize)) throw localChanged(path, 'it is no database')
    this.pageSize = pageSize
  }

  /** Pages. */
  get commit(): number {
    return Math.ceil(fstatSync(this.#fd).size / this.pageSize)
  }

  /** Whether the name still leads to this file. */
  get isInPlace(): boolean {
    const [mine, there] = [fstatSync(this.#fd), statSync(this.path, { throwIfNoEntry: false })]
    return there !== undefined && there.ino === mine.ino && there.dev === mine.dev
  }

  /** Reads pages as they are in the file; what lies behind its end reads as zeros. */
  read(pgno: number, target: Uint8Array): void {
    const offset = (pgno - 1) * this.pageSize
    let done = 0
    while (done < target.byteLength) {
      const size = readSync(this.#fd, target, done, target.byteLength - done, offset + done)
      if (size === 0) break
      done += size
    }
    target.fill(0, done)
  }

  /** The change counter in the file, and whether it says that it is in WAL mode. */
  state(): { readonly counter: number; readonly isWAL: boolean } {
    const header = new Uint8Array(100)
    this.read(1, header)
    return { counter: counterOf(header), isWAL: isWAL(header) }
  }

  /**
   * Carries out a change in one transaction. Waits for readers as long as they need.
   *
   * @throws FollowerError `local-changed`; the system's errors, after which the file is as before
   */
  async apply(change: FileChange): Promise<void> {
    const { pageSize, commit } = this
    const { pgnos, commit: newCommit, signal } = change
    const { counter } = this.state()
    const read = (pgno: number, target: Uint8Array): void => this.read(pgno, target)
    prepareJournal(this.#folder.journal, { pageSize, commit, newCommit, pgnos, read })
    // The end of the change before must not be undone by a power cut any more: what is noted next knows nothing of the state before that.
    syncFolder(dirname(this.path))
    change.note()
    this.#failpoint('prepared')
    await this.#lock(signal)
    // Nothing waits from here on: another connection of this process would wait for the lock, and block what could let it go.
    try {
      this.#failpoint('locked')
      if (!this.isInPlace) throw localChanged(this.path, 'it was replaced')
      if (this.state().counter !== counter || this.commit !== commit) {
        throw localChanged(this.path, 'somebody wrote to it')
      }
      this.#write(change, commit)
    } finally {
      if (this.#db.inTransaction) this.#db.exec('COMMIT')
    }
    this.#failpoint('unlocked')
  }

  /** SQLite first: it would lose its locks. */
  close(): void {
    this.#db.close()
    closeSync(this.#fd)
  }

  async #lock(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted()
      try {
        this.#db.exec('BEGIN EXCLUSIVE')
        return
      } catch (error) {
        const { code } = error as { code?: string }
        if (code !== 'SQLITE_BUSY') throw error
      }
      // While one reader takes long, the others must get their turn: they are kept out as long as SQLite waits here.
      await sleep(BUSY_TIMEOUT_MS, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
    }
  }

  #write({ pgnos, read, commit: newCommit }: FileChange, commit: number): void {
    const journal = `${this.path}-journal`
    renameSync(this.#folder.journal, journal)
    try {
      syncFolder(dirname(this.path))
      this.#failpoint('journal-named')
      const half = pgnos.length >>> 1
      this.#writePages(pgnos.slice(0, half), read)
      this.#failpoint('half-written')
      this.#writePages(pgnos.slice(half), read)
      this.#failpoint('written')
      // Also makes room for the lock page.
      if (newCommit !== commit) ftruncateSync(this.#fd, newCommit * this.pageSize)
      this.#failpoint('truncated')
      fsyncSync(this.#fd)
      this.#failpoint('synced')
      // What makes the change real. If a power cut takes it back, the journal is there again, and the state before with it.
      rmSync(journal)
    } catch (error) {
      this.#undo()
      throw error
    }
    this.#failpoint('committed')
  }

  #writePages(pgnos: readonly number[], read: FileChange['read']): void {
    const { pageSize } = this
    const capacity = Math.max(1, Math.floor(WRITE_BYTES / pageSize))
    const buffer = new Uint8Array(capacity * pageSize)
    for (let start = 0; start < pgnos.length; ) {
      const first = pgnos[start] as number
      let count = 0
      while (count < capacity && pgnos[start + count] === first + count) {
        read(first + count, buffer.subarray(count * pageSize, (count + 1) * pageSize))
        count++
      }
      writeAll(this.#fd, buffer.subarray(0, count * pageSize), (first - 1) * pageSize)
      start += count
    }
  }

  /** Lets SQLite apply the journal at once: a reader that only reads cannot, and would fail. */
  #undo(): void {
    this.#db.exec('COMMIT')
    this.#db.pragma('user_version')
  }
}

function readsAsWAL(fd: number): boolean {
  const header = new Uint8Array(100)
  return readSync(fd, header, 0, header.byteLength, 0) === header.byteLength && isWAL(header)
}

/** The error for a copy that was made a database of its own. */
export function promotedError(path: string): FollowerError {
  return new FollowerError('promoted', `${path} was made a database of its own`, {
    hint: 'Replicate it, or follow into another file.',
  })
}
