import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import {
  DATABASE_HEADER_SIZE,
  type DatabaseHeader,
  decodeDatabaseHeader,
  decodeWALHeader,
  isWALError,
  WAL_HEADER_SIZE,
  type WALHeader,
  type WALIndexHeader,
} from '@sqlstream/wal'
import { PrimaryError } from '../errors.ts'
import { type FileSignature, sameSignature, signatureOf } from './file-signature.ts'
import { LastWALIndex } from './last-wal-index.ts'
import { endsThere, type WALEnd } from './wal-end.ts'

/** Databases that this process has open here, by device and inode. */
const attached = new Set<string>()
/** Descriptors of attached databases that somebody else opened and must not close; they go with ours. */
const late = new Map<string, number[]>()

/** By number, as `stat` gives them: an inode beyond 2^53 shares its key with a few others, which is the safe side. */
function keyOf(dev: number | bigint, ino: number | bigint): string {
  return `${Number(dev)}:${Number(ino)}`
}

/** Whether this thread has the database file attached. Closing any other descriptor of it would drop SQLite's locks. */
export function isAttached(dev: number | bigint, ino: number | bigint): boolean {
  return attached.has(keyOf(dev, ino))
}

/** Keeps a descriptor of an attached database that was opened by mistake, until closing it does no harm. */
export function closeWhenDetached(dev: number | bigint, ino: number | bigint, fd: number): void {
  const key = keyOf(dev, ino)
  late.set(key, [...(late.get(key) ?? []), fd])
}

/**
 * The database, its WAL and its wal-index, read by descriptor. The only place that opens them.
 *
 * SQLite's POSIX locks belong to the process and die when *any* descriptor of the database or of the
 * -shm file is closed in it (sqlite.org/howtocorrupt.html, 2.2). So each is opened once, after or
 * before the connections but never while they would suffer, and closed after the last connection.
 * The -wal file carries no locks and may be opened and closed at will.
 */
export class DatabaseFiles {
  readonly path: string
  readonly #key: string
  #db: number
  #shm = -1
  #wal = -1
  readonly #index = new LastWALIndex()
  /** Which file a descriptor is does not change. */
  readonly #identities = new Map<number, string>()

  private constructor(path: string, db: number, key: string) {
    this.path = path
    this.#db = db
    this.#key = key
    attached.add(key)
  }

  /**
   * Opens the database file.
   *
   * @throws PrimaryError `database-missing`, `not-a-database`; `locked` when this process has it open here
   *   already: closing a second descriptor would drop the locks of the first user
   */
  static open(path: string): DatabaseFiles {
    try {
      const stat = statSync(path)
      if (!stat.isFile()) throw new PrimaryError('not-a-database', `${path} is not a file`)
      const key = keyOf(stat.dev, stat.ino)
      if (attached.has(key)) {
        throw new PrimaryError('locked', `this process replicates ${path} already`, {
          hint: 'Use the primary that is there, or close it first.',
        })
      }
      return new DatabaseFiles(path, openSync(path, 'r'), key)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new PrimaryError('database-missing', `${path} does not exist`, {
          cause: error,
          hint: 'Start the application first, or restore the database from its replica.',
        })
      }
      throw error
    }
  }

  /** The first 100 bytes of the database. @throws PrimaryError `not-a-database` */
  databaseHeader(): DatabaseHeader {
    const bytes = new Uint8Array(DATABASE_HEADER_SIZE)
    const read = readSync(this.#db, bytes, 0, bytes.length, 0)
    try {
      return decodeDatabaseHeader(bytes.subarray(0, read))
    } catch (error) {
      if (!isWALError(error)) throw error
      throw new PrimaryError('not-a-database', `${this.path} is not an SQLite database`, {
        cause: error,
        hint:
          read === 0
            ? 'The file is empty. Let the application create its schema first.'
            : 'The file may be encrypted, or of another kind.',
      })
    }
  }

  signature(): FileSignature {
    return signatureOf(fstatSync(this.#db, { bigint: true }))
  }

  walSignature(): FileSignature {
    return signatureOf(fstatSync(this.#wal, { bigint: true }))
  }

  /** Bytes of the database file now; frames that are not checkpointed come on top. */
  databaseSize(): number {
    return fstatSync(this.#db).size
  }

  /** Fills `into` from a byte offset of the database file; zeros beyond its end. */
  readDatabase(into: Uint8Array, offset: number): void {
    into.fill(0, readFully(this.#db, into, offset))
  }

  /** Opens -wal and -shm, which SQLite has created by now. */
  openIndex(): void {
    if (this.#shm < 0) this.#shm = openSync(`${this.path}-shm`, 'r')
    if (this.#wal < 0) this.#wal = openSync(`${this.path}-wal`, 'r')
  }

  /** What the wal-index says now. @throws PrimaryError `busy` when no whole copy can be read */
  index(): WALIndexHeader {
    // Both copies are torn only while the file is created or recovered, which is over in microseconds.
    for (let attempt = 0; attempt < 1000; attempt++) {
      const { next } = this.#index
      const header = this.#index.decode(readSync(this.#shm, next, 0, next.length, 0))
      if (header !== undefined) return header
    }
    throw new PrimaryError('busy', `the wal-index of ${this.path} is being rebuilt`)
  }

  /** The WAL header, or undefined while the file is empty. Read anew at every call. */
  walHeader(): WALHeader | undefined {
    const bytes = new Uint8Array(WAL_HEADER_SIZE)
    const read = readSync(this.#wal, bytes, 0, bytes.length, 0)
    if (read < WAL_HEADER_SIZE) return undefined
    try {
      return decodeWALHeader(bytes)
    } catch (error) {
      if (isWALError(error)) return undefined
      throw error
    }
  }

  /** Fills `into` from a byte offset of the WAL; returns how many bytes there were. */
  readWAL(into: Uint8Array, offset: number): number {
    return readFully(this.#wal, into, offset)
  }

  /** Bytes of the WAL file. It keeps its size when it is restarted. */
  walSize(): number {
    return fstatSync(this.#wal).size
  }

  /** Which of the three files is no longer the one behind its path, if any. */
  replaced(): 'database' | 'wal' | 'shm' | undefined {
    if (!this.#isBehind(this.path, this.#db)) return 'database'
    if (this.#wal >= 0 && !this.#isBehind(`${this.path}-wal`, this.#wal)) return 'wal'
    if (this.#shm >= 0 && !this.#isBehind(`${this.path}-shm`, this.#shm)) return 'shm'
    return undefined
  }

  #isBehind(path: string, fd: number): boolean {
    let identity = this.#identities.get(fd)
    if (identity === undefined) {
      const open = fstatSync(fd)
      identity = keyOf(open.dev, open.ino)
      this.#identities.set(fd, identity)
    }
    const named = statSync(path, { throwIfNoEntry: false })
    return named !== undefined && keyOf(named.dev, named.ino) === identity
  }

  /** Only after every SQLite connection of this process to the database is closed. */
  close(): void {
    const descriptors = [this.#wal, this.#shm, this.#db, ...(late.get(this.#key) ?? [])]
    late.delete(this.#key)
    for (const fd of descriptors) if (fd >= 0) closeSync(fd)
    this.#identities.clear()
    this.#wal = -1
    this.#shm = -1
    this.#db = -1
    attached.delete(this.#key)
  }
}

/**
 * Which of -wal and -shm is missing while the other is there. SQLite itself creates and deletes them
 * together, so somebody has deleted one under an application that still uses it.
 */
function missingCompanion(path: string): '-wal' | '-shm' | undefined {
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false }) !== undefined
  const shm = statSync(`${path}-shm`, { throwIfNoEntry: false }) !== undefined
  if (wal === shm) return undefined
  return wal ? '-shm' : '-wal'
}

/**
 * Whether the WAL of a database that is not open here is the file that it was, and still ends where it did (see {@link endsThere}).
 * @throws the system's error
 */
export function isWALAsLeft(database: string, signature: FileSignature, end: WALEnd): boolean {
  // SQLite keeps it beside the file that a link leads to.
  const wal = openSync(`${realpathSync.native(database)}-wal`, 'r')
  try {
    if (!sameSignature(signatureOf(fstatSync(wal, { bigint: true })), signature)) return false
    return endsThere(end, (into, offset) => readFully(wal, into, offset))
  } finally {
    closeSync(wal)
  }
}

function readFully(fd: number, into: Uint8Array, offset: number): number {
  let done = 0
  while (done < into.length) {
    const n = readSync(fd, into, done, into.length - done, offset + done)
    if (n === 0) break
    done += n
  }
  return done
}

/**
 * An application that goes on with a deleted -wal or -shm saves everything when it closes, provided that
 * nobody else has the database open then. So we stay away until it has.
 *
 * @throws PrimaryError `database-replaced`
 */
export function refuseHalfSet(database: string): void {
  const missing = missingCompanion(database)
  if (missing === undefined) return
  throw new PrimaryError(
    'database-replaced',
    `${database}${missing} was deleted while the database is in use`,
    {
      hint: 'Restart the application: its last connection to close saves what it has committed. Replication then goes on by itself.',
    },
  )
}
