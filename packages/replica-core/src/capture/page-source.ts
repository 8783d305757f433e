import { lockPgno, type PageSize } from '@sqlstream/ltx'
import { WAL_FRAME_HEADER_SIZE } from '@sqlstream/wal'
import type { DatabaseFiles } from '../sqlite/database-files.ts'
import { frameOffset } from '../sqlite/wal-end.ts'
import type { FrameTable } from './frame-table.ts'
import type { ScannedFrames } from './scan.ts'

/** Pages in ascending order, to be read in batches; reading twice gives the same bytes. */
export interface PageSource {
  readonly pageSize: PageSize
  /** How many pages there are. */
  readonly count: number
  /** Page number of the i-th page. */
  pgno(i: number): number
  /** Fills `into` with the images of pages `from` .. `from + count - 1`, back to back. */
  read(from: number, count: number, into: Uint8Array): void
}

/** The pages that a stretch of the WAL changed: from the buffer that was verified, else from the file. */
export class WALPages implements PageSource {
  readonly pageSize: PageSize
  readonly count: number
  readonly #pgnos: Uint32Array
  readonly #files: DatabaseFiles
  readonly #table: FrameTable
  readonly #scanned: ScannedFrames
  #frames = new Uint8Array(0)

  /**
   * @param before size of the database before the stretch, in pages. Pages that the database grew by
   *   but that no frame holds are in the database file, or zero: SQLite left them unwritten.
   */
  constructor(
    files: DatabaseFiles,
    pageSize: PageSize,
    table: FrameTable,
    scanned: ScannedFrames,
    before: number,
  ) {
    this.pageSize = pageSize
    this.#files = files
    this.#table = table
    this.#scanned = scanned
    this.#pgnos = candidates(table, scanned, before, lockPgno(pageSize))
    this.count = this.#pgnos.length
  }

  pgno(i: number): number {
    return this.#pgnos[i]!
  }

  read(from: number, count: number, into: Uint8Array): void {
    const { pageSize } = this
    const bytes = this.#scanned.bytes
    for (let i = 0; i < count; ) {
      const pgno = this.#pgnos[from + i]!
      const frame = this.#table.get(pgno)
      const target = into.subarray(i * pageSize, (i + 1) * pageSize)
      if (frame === 0) {
        this.#files.readDatabase(target, (pgno - 1) * pageSize)
        i++
      } else if (bytes !== undefined) {
        const at =
          (frame - this.#scanned.from - 1) * (WAL_FRAME_HEADER_SIZE + pageSize) + WAL_FRAME_HEADER_SIZE
        target.set(bytes.subarray(at, at + pageSize))
        i++
      } else {
        i += this.#readRun(from + i, count - i, frame, into.subarray(i * pageSize))
      }
    }
  }

  /** SQLite writes a transaction's pages in page order, so neighbours mostly lie in neighbouring frames: one read. */
  #readRun(from: number, count: number, frame: number, into: Uint8Array): number {
    const { pageSize } = this
    const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
    let run = 1
    while (run < count && this.#table.get(this.#pgnos[from + run]!) === frame + run) run++
    // One buffer for all runs: of a large transaction there are thousands, and none may be left to the collector.
    if (this.#frames.length < run * frameSize) this.#frames = new Uint8Array(run * frameSize)
    const bytes = this.#frames.subarray(0, run * frameSize)
    this.#files.readWAL(bytes, frameOffset(frame, pageSize))
    for (let i = 0; i < run; i++) {
      const at = i * frameSize + WAL_FRAME_HEADER_SIZE
      into.set(bytes.subarray(at, at + pageSize), i * pageSize)
    }
    return run
  }
}

function candidates(table: FrameTable, scanned: ScannedFrames, before: number, lock: number): Uint32Array {
  const { commit, minCommit } = scanned
  const changed = table.pages()
  let end = changed.length
  while (end > 0 && changed[end - 1]! > commit) end--
  // Whatever lies above the smallest size in between fell away and came back.
  const base = Math.min(before, minCommit)
  const growth: number[] = []
  for (let pgno = base + 1; pgno <= commit; pgno++) {
    if (pgno !== lock && table.get(pgno) === 0) growth.push(pgno)
  }
  if (growth.length === 0) return withoutLock(changed.subarray(0, end), lock)
  const all = new Uint32Array(end + growth.length)
  all.set(changed.subarray(0, end))
  all.set(growth, end)
  return withoutLock(all.sort(), lock)
}

function withoutLock(pgnos: Uint32Array, lock: number): Uint32Array {
  return pgnos.includes(lock) ? pgnos.filter((pgno) => pgno !== lock) : pgnos
}

/**
 * The whole database as of the holder's snapshot: the database file, and over it the newest frame
 * of each page up to the snapshot. Stable while the holder stays, whoever checkpoints meanwhile:
 * a checkpoint copies only frames that the overlay has anyway.
 */
export class DatabaseView implements PageSource {
  readonly pageSize: PageSize
  readonly commit: number
  readonly count: number
  readonly #files: DatabaseFiles
  readonly #lock: number
  readonly #overlay: FrameTable

  /** @param overlay empty when the WAL is wholly copied into the database file */
  constructor(files: DatabaseFiles, pageSize: PageSize, commit: number, overlay: FrameTable) {
    this.#files = files
    this.pageSize = pageSize
    this.commit = commit
    this.#overlay = overlay
    this.#lock = lockPgno(pageSize)
    this.count = commit >= this.#lock ? commit - 1 : commit
  }

  pgno(i: number): number {
    return i + 1 < this.#lock ? i + 1 : i + 2
  }

  read(from: number, count: number, into: Uint8Array): void {
    const { pageSize } = this
    const first = this.pgno(from)
    const last = this.pgno(from + count - 1)
    if (last - first === count - 1) {
      this.#files.readDatabase(into.subarray(0, count * pageSize), (first - 1) * pageSize)
    } else {
      const below = this.#lock - first
      this.#files.readDatabase(into.subarray(0, below * pageSize), (first - 1) * pageSize)
      this.#files.readDatabase(into.subarray(below * pageSize, count * pageSize), this.#lock * pageSize)
    }
    if (this.#overlay.count === 0) return
    for (let i = 0; i < count; i++) {
      const frame = this.#overlay.get(this.pgno(from + i))
      if (frame === 0) continue
      const offset = frameOffset(frame, pageSize) + WAL_FRAME_HEADER_SIZE
      this.#files.readWAL(into.subarray(i * pageSize, (i + 1) * pageSize), offset)
    }
  }
}
