import { type Checksum, createKernel, type PageKernel, type TXID, toTXID } from '@sqlstream/ltx'
import { isWorthPool, SNAPSHOT_LEVEL } from '@sqlstream/replica'
import { createModestPool } from '@sqlstream/replica/node'
import type { WALIndexHeader } from '@sqlstream/wal'
import { discontinuous, pageSizeChanged } from '../errors.ts'
import type { FileSignature } from '../sqlite/file-signature.ts'
import { endsThere, type WALEnd } from '../sqlite/wal-end.ts'
import type { Ledger } from '../state/ledger.ts'
import type { DatabaseState, Owed } from '../state/owed.ts'
import type { Position, WALPosition } from '../state/position.ts'
import type { CaptureContext, CapturedFile, LiveSnapshot } from './context.ts'
import { generationAfter, isSameGeneration } from './continuity.ts'
import { difference, ledgerOf } from './difference.ts'
import { encodeSnapshot } from './encode-snapshot.ts'
import { FrameTable } from './frame-table.ts'
import { snapshotHeader, stretchHeader } from './headers.ts'
import { BATCH_BYTES, withKernel } from './kernels.ts'
import { takeDifference } from './live-difference.ts'
import { type PageSource, WALPages } from './page-source.ts'
import { START_OF_GENERATION, WALScan } from './scan.ts'
import { type LiveView, takeView } from './view.ts'
import { writeFile } from './write-file.ts'

/** Turns frames of the WAL into level-0 files. The caller serialises all calls. */
export class Capture {
  readonly #c: CaptureContext
  readonly #table = new FrameTable()
  readonly #scan: WALScan
  /** The generation that is known to follow the position, once it was seen. */
  #nextGeneration: WALPosition | undefined

  constructor(context: CaptureContext) {
    this.#c = context
    this.#scan = new WALScan(context.files, context.pageSize)
    context.holder.observeWith(() => this.isBehind())
  }

  /**
   * Captures every visible commit after the position.
   *
   * @throws PrimaryError `wal-discontinuous` when the WAL does not continue the position: resync
   */
  async capture(onFile: (captured: CapturedFile) => void, signal?: AbortSignal): Promise<WALIndexHeader> {
    for (;;) {
      const index = this.#c.files.index()
      const from = this.#continuation(index)
      if (from === undefined) return index
      if (index.pageSize !== 0 && index.pageSize !== this.#c.pageSize) throw pageSizeChanged(index.pageSize)
      const work = (kernel: PageKernel): Promise<boolean> =>
        this.#captureStretch(from, index, kernel, onFile, signal)
      if (await this.#working(work)) return index
    }
  }

  /** Captures what fits into one file. Returns whether that was everything. */
  async #captureStretch(
    from: WALPosition,
    index: WALIndexHeader,
    kernel: PageKernel,
    onFile: (captured: CapturedFile) => void,
    signal?: AbortSignal,
  ): Promise<boolean> {
    this.#c.failpoint?.('frames:before-read')
    const scanned = this.#scan.scan(from, index, this.#table, this.#c.cutBytes)
    this.#c.failpoint?.('frames:after-read')
    const position = this.#position()
    const source = new WALPages(this.#c.files, this.#c.pageSize, this.#table, scanned, position.commit)
    const range = { from: from.frame, end: scanned.end }
    // Longer than one read: its pages come from the file anew, so the chain is proven anew behind them.
    const proveAgain =
      scanned.bytes === undefined && (() => this.#scan.again(from, scanned.end, index, this.#table))
    const captured = await this.#write(source, scanned.commit, range, kernel, proveAgain, signal)
    if (captured !== undefined) onFile(captured)
    return scanned.complete
  }

  /** Lends what a piece of work needs memory for, and lets it go afterwards: there may be a thousand databases. */
  async #working<T>(work: (kernel: PageKernel) => Promise<T>): Promise<T> {
    try {
      return await withKernel(this.#c.pageSize, work)
    } finally {
      this.#scan.letGo()
    }
  }

  /** True when the wal-index shows a commit that is not captured. */
  isBehind(): boolean {
    return this.#continuation(this.#c.files.index()) !== undefined
  }

  /** Where the WAL ends; undefined when a recovery might find something behind the position that nobody sees now. */
  get end(): WALEnd | undefined {
    const { wal, pageSize } = this.#position()
    const end = { salt1: wal.salt1, salt2: wal.salt2, frame: wal.frame, pageSize }
    return endsThere(end, (into, offset) => this.#c.files.readWAL(into, offset)) ? end : undefined
  }

  /**
   * Whether the WAL still continues the position, after a time without our lock. When it is certain, it can be captured;
   * else the database has to be compared.
   *
   * @param signature of the database file when it was let go at the position with all frames copied into it
   */
  continues(signature?: FileSignature): boolean {
    const position = this.#c.state.position
    if (position === undefined || position.pageSize !== this.#c.pageSize) return false
    const { files } = this.#c
    const isSame = isSameGeneration(position.wal, files.index(), this.#scan, this.#table)
    this.#scan.letGo()
    if (isSame) return true
    const next = signature && generationAfter(position.wal, files, signature)
    if (next) this.#nextGeneration = next
    return next !== undefined
  }

  /**
   * Compares the database with the ledger and writes one file with just the pages that differ,
   * chained to the last one. The answer to every doubt about the WAL.
   *
   * @returns the file, or undefined when nothing differs
   */
  async resync(signal?: AbortSignal): Promise<CapturedFile | undefined> {
    const { view, captured } = await this.#working(async (kernel) => {
      const view = await takeView(this.#c, this.#scan)
      const range = { from: 0, end: view.wal }
      const { pages, proveAgain } = view
      return { view, captured: await this.#write(pages, pages.commit, range, kernel, proveAgain, signal) }
    })
    await this.#c.state.synced()
    this.#c.holder.captured(view.backfilled)
    return captured
  }

  /**
   * Builds a new ledger from the database and moves the position to `txid`, which the returned
   * snapshot is to be uploaded as.
   */
  async snapshot(
    txid: TXID,
    options: { readonly signal?: AbortSignal | undefined; readonly onPages?: (done: number) => void } = {},
  ): Promise<LiveSnapshot> {
    const { view, ledger } = await this.#viewed(options)
    const expected = ledger.words().slice()
    const position = this.#take(txid, view, ledger)
    const header = snapshotHeader(position, this.#c.epoch())
    const { pageSize } = position
    const pool = isWorthPool(view.pages.count * pageSize) ? createModestPool : undefined
    return {
      level: SNAPSHOT_LEVEL,
      header,
      pages: view.pages.count,
      body: (bodyOptions) =>
        // A kernel of its own: captures go on while the snapshot is uploaded.
        encodeSnapshot(header, view.pages, expected, createKernel({ pageSize, batchBytes: BATCH_BYTES }), {
          ...bodyOptions,
          pool,
        }),
    }
  }

  /** What leads from a base, where the replica is, to what the database is now: see {@link takeDifference}. */
  difference(
    owed: Owed,
    base: DatabaseState,
    note: (owed: Owed) => void,
    signal?: AbortSignal,
  ): Promise<LiveSnapshot> {
    const parts = { scan: this.#scan, batchBytes: BATCH_BYTES, note, signal }
    return this.#working((kernel) =>
      takeDifference(this.#c, owed, base, { ...parts, kernel, timestamp: this.#timestamp() }),
    )
  }

  /**
   * Takes the database for the state after `txid` if its checksum is the one that the replica
   * proves for it. Position and ledger are set then.
   */
  async adopt(txid: TXID, checksum: Checksum, signal?: AbortSignal): Promise<boolean> {
    const { view, ledger } = await this.#viewed({ signal })
    if (ledger.checksum !== checksum) return false
    this.#take(txid, view, ledger)
    return true
  }

  /** The database as it is, and its checksums. */
  #viewed(options: {
    readonly signal?: AbortSignal | undefined
    readonly onPages?: (done: number) => void
  }): Promise<{ readonly view: LiveView; readonly ledger: Ledger }> {
    return this.#working(async (kernel) => {
      const view = await takeView(this.#c, this.#scan)
      const ledger = await ledgerOf(view.pages, kernel, options)
      view.proveAgain()
      return { view, ledger }
    })
  }

  /** Makes what was viewed the state after `txid`. */
  #take(txid: TXID, { pages, wal, backfilled }: LiveView, ledger: Ledger): Position {
    const position: Position = {
      txid,
      postApplyChecksum: ledger.checksum,
      pageSize: this.#c.pageSize,
      commit: pages.commit,
      timestamp: this.#timestamp(),
      wal,
    }
    this.#c.state.replace(position, ledger)
    this.#c.holder.captured(backfilled)
    return position
  }

  /** Where to go on reading, or undefined when nothing is new. */
  #continuation(index: WALIndexHeader): WALPosition | undefined {
    const { wal } = this.#position()
    if (index.salt1 === wal.salt1 && index.salt2 === wal.salt2) {
      if (index.mxFrame < wal.frame) {
        throw discontinuous(`the WAL has ${index.mxFrame} frames, ${wal.frame} were captured`)
      }
      if (index.mxFrame > wal.frame) return wal
      if (
        wal.frame > 0 &&
        (index.frameChecksum1 !== wal.checksum1 || index.frameChecksum2 !== wal.checksum2)
      ) {
        throw discontinuous(`frame ${wal.frame} is not the one that was captured`)
      }
      return undefined
    }
    const next = this.#nextGeneration
    if (next?.salt1 === index.salt1 && next.salt2 === index.salt2) return index.mxFrame > 0 ? next : undefined
    if (!this.#c.holder.restartIsCaptured) {
      throw discontinuous('the WAL was restarted although the position was not known to be captured')
    }
    if (index.mxFrame === 0) return undefined
    this.#c.holder.restarted()
    this.#nextGeneration = { salt1: index.salt1, salt2: index.salt2, ...START_OF_GENERATION }
    return this.#nextGeneration
  }

  async #write(
    source: PageSource,
    commit: number,
    range: { readonly from: number; readonly end: WALPosition },
    kernel: PageKernel,
    proveAgain: (() => void) | false,
    signal?: AbortSignal,
  ): Promise<CapturedFile | undefined> {
    const { state, failpoint } = this.#c
    const { spool } = state
    const before = this.#position()
    const changes = await difference(source, state.ledger, kernel, { signal })
    if (proveAgain) proveAgain()
    if (changes.count === 0 && commit === before.commit) {
      state.moveTo(range.end)
      return undefined
    }
    const postApplyChecksum = state.ledger.checksumAfter(commit, changes.count, changes.pgnos, changes.sums)
    const txid = toTXID(before.txid + 1n)
    const position: Position = {
      txid,
      postApplyChecksum,
      pageSize: this.#c.pageSize,
      commit,
      timestamp: this.#timestamp(),
      wal: range.end,
    }
    failpoint?.('encode:before')
    const header = stretchHeader(position, before, range.from, this.#c.epoch())
    const options = { previousCommit: before.commit, signal }
    const file = await writeFile(spool, header, source, changes, kernel, options)
    failpoint?.('encode:after')
    try {
      state.advance(position, changes, file)
    } catch (error) {
      spool.remove(file)
      throw error
    }
    return { file, pos: { txid, postApplyChecksum }, pages: changes.count, wal: range.end }
  }

  /** Time never goes back along a chain, whatever the clock does. */
  #timestamp(): number {
    const { timeFloor, position } = this.#c.state
    return Math.max(this.#c.now(), timeFloor, position?.timestamp ?? 0)
  }

  #position(): Position {
    const position = this.#c.state.position
    if (position === undefined) throw new TypeError('nothing has been captured yet')
    return position
  }
}
