import { WAL_FRAME_HEADER_SIZE } from '@sqlstream/wal'
import { ReplicaError } from '../errors.ts'
import type { PageSink } from '../restore/page-sink.ts'
import { damaged } from './damage.ts'
import { PageCoverage } from './page-coverage.ts'
import { PendingPages } from './pending-pages.ts'
import type { FrameBlock } from './segment-frames.ts'
import type { SnapshotImage } from './snapshot-image.ts'

// A transaction with more bytes of pages than this is not kept until its commit is found.
const MOST_PENDING = 32 * 1024 * 1024
const CHANGE_COUNTER = 24

/** Looks ahead in the WAL that is being replayed: where its last transaction ends. */
export type FindLastCommit = () => Promise<number>

/**
 * Puts the pages of committed transactions into a sink. Memory: 32 MiB of pages at most, and a bit a page.
 *
 * What is missing at the end of a WAL no name and no checksum tells. Two things show it: SQLite writes every page by which a
 * database grows, and the change counter on page 1 grows by one at most from one write of the page to the next.
 */
export class WALReplay {
  readonly #sink: PageSink
  readonly #frameSize: number
  readonly #pending: PendingPages
  readonly #coverage: PageCoverage
  #commit: number
  #changeCounter: number
  /** Number of WALs that were begun. */
  #wals = 0
  #hasPageOne = false
  /** Frames before this place in the WAL are known to be followed by a commit. */
  #settledUntil = 0
  /** The rest of the WAL belongs to no transaction. */
  #isTail = false
  #lastCommit = 0

  constructor(sink: PageSink, image: SnapshotImage) {
    this.#sink = sink
    this.#frameSize = WAL_FRAME_HEADER_SIZE + image.pageSize
    this.#pending = new PendingPages(sink, image.pageSize)
    this.#coverage = new PageCoverage(image.pageSize)
    for (let pgno = 1; pgno <= image.pages; pgno++) this.#coverage.add(pgno)
    this.#commit = image.pages
    this.#changeCounter = image.changeCounter
  }

  /** Pages after the last transaction. */
  get commit(): number {
    return this.#commit
  }

  /** Whether page 1 was in the WAL since it began: then its change counter fits to that of the WALs before. */
  get hasPageOne(): boolean {
    return this.#hasPageOne
  }

  /** The frames that follow are the first ones of another WAL. */
  beginWAL(): void {
    this.#wals++
    this.#hasPageOne = false
    this.#settledUntil = 0
    this.#isTail = false
    this.#lastCommit = 0
  }

  /** Takes over the next frames of the WAL. Throws ReplicaError `gap`, and what the sink and `findLastCommit` throw. */
  async add(block: FrameBlock, findLastCommit: FindLastCommit): Promise<void> {
    const { count, pgnos, commits, bytes } = block
    for (let i = 0; i < count && !this.#isTail; i++) {
      const offset = block.offset + i * this.#frameSize
      if (this.#pending.isFull) await this.#makeRoom(offset, findLastCommit)
      if (this.#isTail) return
      const pgno = pgnos[i]!
      const page = i * this.#frameSize + WAL_FRAME_HEADER_SIZE
      if (pgno === 1) this.#compareCounter(bytes, page)
      this.#pending.add(pgno, bytes, page)
      this.#coverage.add(pgno)
      if (offset < this.#settledUntil) this.#pending.commit()
      if (commits[i] !== 0) await this.#commitTo(commits[i]!, offset + this.#frameSize)
    }
  }

  /**
   * The WAL has ended: frames after its last transaction are dropped, and all pages of the database must be there.
   * Throws ReplicaError `gap` or `corrupt`, and what the sink throws.
   */
  async endWAL(): Promise<void> {
    if (this.#lastCommit < this.#settledUntil) {
      throw damaged('the WAL has changed while it was read')
    }
    this.#pending.dropUncommitted()
    await this.#pending.flush()
    this.#coverage.resize(this.#commit)
    this.#mustBeWhole()
  }

  async #commitTo(commit: number, end: number): Promise<void> {
    this.#pending.commit()
    if (commit < this.#coverage.highest) {
      await this.#pending.flush()
      await this.#sink.truncate(commit)
    }
    this.#coverage.resize(commit)
    this.#commit = commit
    this.#lastCommit = end
    // The snapshot may be younger than the beginning of its own WAL: there a size of the past can exceed it.
    if (this.#wals > 1) this.#mustBeWhole()
  }

  #mustBeWhole(): void {
    const pgno = this.#coverage.firstMissing(this.#commit)
    if (pgno !== undefined) {
      throw new ReplicaError(
        'gap',
        `the database has ${this.#commit} pages, but nothing brought page ${pgno}`,
      )
    }
  }

  #compareCounter(bytes: Uint8Array, page: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + page + CHANGE_COUNTER)
    const counter = view.getUint32(0)
    // Inside of one WAL the checksums prove that nothing is missing.
    if (this.#wals > 1 && !this.#hasPageOne && counter > this.#changeCounter + 1) {
      throw new ReplicaError('gap', `the change counter went from ${this.#changeCounter} to ${counter}`)
    }
    this.#changeCounter = counter
    this.#hasPageOne = true
  }

  async #makeRoom(offset: number, findLastCommit: FindLastCommit): Promise<void> {
    const pending = this.#pending
    if (pending.hasCommitted) {
      await pending.flush()
    } else if (pending.capacity < MOST_PENDING) {
      pending.grow()
    } else {
      this.#settledUntil = await findLastCommit()
      this.#isTail = this.#settledUntil <= offset
      if (this.#isTail) return
      pending.commit()
      await pending.flush()
    }
  }
}
