import { type Checksum, createKernel, lockPgno, type PageKernel, type TXID } from '@sqlstream/ltx'
import { localChanged } from './errors.ts'
import type { FailpointHook } from './failpoint.ts'
import { type FileChange, LocalFile, promotedError } from './local-file.ts'
import type { NotesFile } from './notes-file.ts'
import type { Exclusively } from './options.ts'
import { cookieIn, cookieOf, counterIn, makeLocal, nextCookie, ownFields, putFields } from './page-one.ts'
import { type Position, positionOf } from './position.ts'
import { RollingSum } from './rolling-sum.ts'
import { StagedPages, type StagingBase } from './staged-pages.ts'
import type { StateFolder } from './state-folder.ts'

/** Where staged pages lead to. */
export interface Target {
  readonly txid: TXID
  /** Header time, ms. */
  readonly timestamp: number
  /** The state is of no known relation to the copy's: it may have another schema under the same cookie. Default false. */
  readonly isElsewhere?: boolean
}

/** What a copy is opened with. */
export interface LocalCopyOptions {
  readonly failpoint?: FailpointHook | undefined
  /** Called around each change. Default: it is made at once. */
  readonly exclusively?: Exclusively | undefined
}

/** A copy of a database, and what is known of it: the file, and where it stands in the replica's history. */
export class LocalCopy {
  readonly file: LocalFile
  readonly #notes: NotesFile
  readonly #folder: StateFolder
  readonly #kernel: PageKernel
  readonly #exclusively: Exclusively
  #position: Position

  /**
   * Opens a copy as the last process has left it, whatever ended that one.
   * @throws FollowerError `local-changed`, `promoted`
   */
  static open(
    path: string,
    folder: StateFolder,
    notes: NotesFile,
    { failpoint, exclusively = (work) => work() }: LocalCopyOptions = {},
  ): LocalCopy {
    if (notes.notes === undefined) throw localChanged(path, 'nothing is noted of it')
    const file = LocalFile.open(path, folder, failpoint)
    try {
      const { counter, isWAL } = file.state()
      if (isWAL) throw promotedError(path)
      const position = positionOf(notes.notes, counter)
      if (position === undefined) throw localChanged(path, `its change counter is ${counter}`)
      if (position.pageSize !== file.pageSize || position.commit !== file.commit) {
        throw localChanged(path, `it has ${file.commit} pages of ${file.pageSize} bytes`)
      }
      return new LocalCopy(file, folder, notes, exclusively, position)
    } catch (error) {
      file.close()
      throw error
    }
  }

  private constructor(
    file: LocalFile,
    folder: StateFolder,
    notes: NotesFile,
    exclusively: Exclusively,
    position: Position,
  ) {
    this.file = file
    this.#folder = folder
    this.#notes = notes
    this.#exclusively = exclusively
    this.#position = position
    this.#kernel = createKernel({ pageSize: position.pageSize })
  }

  get position(): Position {
    return this.#position
  }

  get databaseId(): string | undefined {
    return this.#notes.notes?.databaseId
  }

  /** Page 1 as it is in the database. */
  pageOne(): Uint8Array {
    const page = new Uint8Array(this.#position.pageSize)
    this.file.read(1, page)
    putFields(page, this.#position.fields)
    return page
  }

  /** Room for the pages of some files, on top of what the copy holds. */
  stage(): StagedPages {
    return this.stageOn(this.#base())
  }

  /** The same with the checksums of all pages at hand, as `scan` gives them. */
  stageOn(base: StagingBase): StagedPages {
    return new StagedPages(base, this.#folder.staged)
  }

  /** Reads the whole copy: the checksum of each page of the database, two words a page, and that of all. */
  scan(): { readonly sums: Uint32Array; readonly checksum: Checksum } {
    const { pageSize, commit } = this.#position
    const sums = new Uint32Array(commit * 2)
    const rolling = new RollingSum(0n as Checksum)
    const lock = lockPgno(pageSize)
    for (let first = 1; first <= commit; first += this.#kernel.capacity) {
      const count = Math.min(this.#kernel.capacity, commit - first + 1)
      this.#sumPages(first, count)
      for (let i = 0; i < count; i++) {
        if (first + i === lock) continue
        const [low, high] = [
          this.#kernel.pageSums[2 * i] as number,
          this.#kernel.pageSums[2 * i + 1] as number,
        ]
        sums[2 * (first + i) - 2] = low
        sums[2 * (first + i) - 1] = high
        rolling.toggle(low, high)
      }
    }
    return { sums, checksum: rolling.value }
  }

  /** Makes the copy what is staged, in one transaction of SQLite. @returns how many pages were written */
  async apply(staged: StagedPages, target: Target, signal?: AbortSignal): Promise<number> {
    const before = this.#position
    const pgnos = staged.pgnos()
    const pageOne = new Uint8Array(staged.pageSize)
    this.file.read(1, pageOne)
    const localCookie = cookieOf(pageOne)
    const isChanged = staged.read(1, pageOne)
    if (!isChanged) pgnos.unshift(1)
    const fields = isChanged ? ownFields(pageOne) : before.fields
    const counter = (before.counter + 1) >>> 0
    const isSameSchema = !target.isElsewhere && cookieIn(fields) === cookieIn(before.fields)
    const cookie = isSameSchema ? localCookie : nextCookie(localCookie, cookieIn(fields))
    const after: Position = {
      txid: target.txid,
      postApplyChecksum: staged.checksum,
      pageSize: staged.pageSize,
      commit: staged.commit,
      timestamp: target.timestamp,
      counter,
      fields,
    }
    makeLocal(pageOne, { counter, commit: staged.commit, cookie })
    const change: FileChange = {
      commit: staged.commit,
      pgnos,
      read: (pgno, page) => {
        if (pgno === 1) page.set(pageOne)
        else staged.read(pgno, page)
      },
      note: () => this.#note(before, after),
      signal,
    }
    await this.#exclusively(async () => {
      await this.file.apply(change)
      // Before anybody reads again: they must be able to tell which state they have.
      this.#position = after
    }, signal)
    return pgnos.length
  }

  /** Gives page 1 back the fields of the database: the copy is that database then, byte for byte. */
  async makeOriginal(signal?: AbortSignal): Promise<void> {
    const { fields, commit } = this.#position
    // A reader must not take this for the page 1 that it knows: by the counter alone it sees that there is a WAL from now on.
    if (counterIn(fields) === this.#position.counter) {
      using nothing = this.stage()
      await this.apply(nothing, this.#position, signal)
    }
    const pageOne = this.pageOne()
    await this.file.apply({
      commit,
      pgnos: [1],
      read: (_, page) => page.set(pageOne),
      note: () => undefined,
      signal,
    })
  }

  /** Takes over another identity. */
  identify(databaseId: string | undefined): void {
    this.#notes.write({ databaseId, applied: this.#position })
  }

  close(): void {
    this.file.close()
    this.#notes[Symbol.dispose]()
  }

  /** Before the change, because nobody could tell afterwards which of the two it was: the counter in the file does. */
  #note(applied: Position, pending: Position): void {
    this.#notes.write({ databaseId: this.databaseId, applied, pending })
  }

  #base(): StagingBase {
    const { pageSize, commit, postApplyChecksum } = this.#position
    return {
      pageSize,
      commit,
      checksum: postApplyChecksum,
      sumOf: (pgno, into) => {
        this.#sumPages(pgno, 1)
        into[0] = this.#kernel.pageSums[0] as number
        into[1] = this.#kernel.pageSums[1] as number
      },
    }
  }

  /** Checksums of pages as they are in the database, into the kernel. */
  #sumPages(first: number, count: number): void {
    const kernel = this.#kernel
    const pages = kernel.pages.subarray(0, count * kernel.pageSize)
    this.file.read(first, pages)
    if (first === 1) putFields(pages, this.#position.fields)
    for (let i = 0; i < count; i++) kernel.pgnos[i] = first + i
    kernel.checksumPages(count)
  }
}
