import { type Pos, type TXID, toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter, type Lease, type Replica } from '@sqlstream/replica'
import { Attachment, checkReplicable } from './attachment.ts'
import type { CapturedFile } from './capture/capture.ts'
import { isPrimaryError, PrimaryError, wrapFileError } from './errors.ts'
import type { PrimaryEvent, PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { BehindPolicy, SnapshotReason } from './plan-start.ts'
import { Serial } from './serial.ts'
import type { CheckpointMode } from './sqlite/checkpointer.ts'
import { assertSafeEngine } from './sqlite/engine-gate.ts'
import { decideStart, type StartDecision } from './start.ts'
import { CaptureState } from './state/capture-state.ts'
import { Spool } from './state/spool.ts'
import {
  createStateFolder,
  type LocalLock,
  type StateFolder,
  stateFolder,
  takeLocalLock,
} from './state/state-folder.ts'
import { nextState, type PrimaryState, type PrimaryTrigger } from './state-machine.ts'
import { Uploader } from './upload.ts'
import { WALWatch } from './watch.ts'

/** Options of {@link Primary.open}. */
export interface PrimaryOptions {
  /** Path of the live database. */
  readonly database: string
  readonly replica: Replica
  /** The right to write the replica. Default: the caller's promise to be the only writer. */
  readonly lease?: Lease
  /** Longest time between a commit and its capture while nobody waits. Default 1000 ms. */
  readonly syncIntervalMs?: number
  /** Quiet time after a file event before the WAL is looked at. Default 5 ms. */
  readonly quietMs?: number
  /** Longest time that events may put that off. Default 50 ms. */
  readonly maxDelayMs?: number
  /** WAL size at which a checkpoint begins, in frames. Default 1000; adaptive above. */
  readonly checkpointFrames?: number
  /** Longest time that writers may be kept out by a checkpoint. Default 50 ms. */
  readonly maxBarrierMs?: number
  /** What to do when the replica is ahead of this database. Default `refuse`. */
  readonly onBehind?: BehindPolicy
  /** Default: `.<file>-sqlstream` beside the database. */
  readonly stateDir?: string
  readonly onEvent?: PrimaryListener
  readonly signal?: AbortSignal
  /** The clock, ms since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /** For crash tests. */
  readonly failpoint?: FailpointHook
  /** Captures are cut at the first commit after this many bytes. Default 64 MiB. */
  readonly cutBytes?: number
}

/** How replication stands. */
export interface PrimaryStatus {
  readonly database: string
  readonly state: PrimaryState
  readonly captured?: Pos
  readonly uploaded?: TXID
  readonly pendingFiles: number
  readonly pendingBytes: number
  /** Frames in the current generation of the WAL. */
  readonly walFrames: number
  readonly lastError?: Error
}

/** What {@link Primary.close} left behind. */
export interface CloseReport {
  readonly captured?: Pos
  readonly uploaded?: TXID
  /** Files that are captured but not in the replica; they stay in the spool and go up at the next start. */
  readonly pendingFiles: number
}

const POLL_MS = 1000
const REFRESH_MS = 200
const PARK_AFTER_MS = 2000
const LONGEST_RECHECK_MS = 128
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 10_000

/**
 * The writing side of one database: captures its WAL, uploads what it captured, and checkpoints.
 * Runs beside the application, in another process; it writes nothing into the database.
 */
export class Primary {
  readonly #o: PrimaryOptions
  readonly #folder: StateFolder
  readonly #lock: LocalLock
  readonly #spool: Spool
  readonly #captureState: CaptureState
  readonly #serial = new Serial()
  #uploader!: Uploader
  #attachment: Attachment | undefined
  #watch: WALWatch | undefined
  #state: PrimaryState = 'closed'
  #lastError: Error | undefined
  #closing: Promise<CloseReport> | undefined
  #queuedCapture: Promise<void> | undefined
  #waiting = 0
  #lastCapture = Number.NEGATIVE_INFINITY
  #lastCommitSeen = performance.now()
  #firstEvent: number | undefined
  #eventTimer: NodeJS.Timeout | undefined
  #tickTimer: NodeJS.Timeout | undefined
  #pollTimer: NodeJS.Timeout | undefined
  #recheckMs = 0
  #retryMs = FIRST_RETRY_MS
  #retryAt = 0
  /** Snapshots that read the live database: the holder must not move. */
  #pinned = 0

  private constructor(options: PrimaryOptions, folder: StateFolder, lock: LocalLock) {
    this.#o = options
    this.#folder = folder
    this.#lock = lock
    this.#spool = new Spool(folder.spool, options.failpoint)
    this.#captureState = CaptureState.open(folder, options.failpoint)
  }

  /**
   * Starts replication: proves that the WAL continues what was captured, else compares pages, else
   * takes a snapshot (SPEC.md, "Start"). Resolves when the database is attached and nothing that was
   * committed before can be lost; uploads may still be under way.
   *
   * @throws PrimaryError, and the store's errors
   */
  static async open(options: PrimaryOptions): Promise<Primary> {
    options.signal?.throwIfAborted()
    assertSafeEngine()
    const folder = stateFolder(options.database, options.stateDir)
    // Refuse what is not a WAL database before anything is created beside it.
    checkReplicable(options.database)
    createStateFolder(folder)
    const lock = takeLocalLock(folder)
    let primary: Primary
    try {
      primary = new Primary(options, folder, lock)
    } catch (error) {
      lock.release()
      throw wrapFileError(error, folder.path)
    }
    try {
      await primary.#start()
    } catch (error) {
      await primary.#detach()
      primary.#captureState.close()
      lock.release()
      throw error
    }
    return primary
  }

  get status(): PrimaryStatus {
    const position = this.#captureState.position
    const uploaded = this.#uploader.uploaded
    const lastError = this.#lastError ?? this.#uploader.lastError
    return {
      database: this.#o.database,
      state: this.#state,
      ...(position && { captured: { txid: position.txid, postApplyChecksum: position.postApplyChecksum } }),
      ...(uploaded !== undefined && { uploaded }),
      pendingFiles: this.#uploader.pendingFiles,
      pendingBytes: this.#uploader.pendingBytes,
      walFrames: this.#attachment?.files.index().mxFrame ?? 0,
      ...(lastError && { lastError }),
    }
  }

  /** Captures every commit that is visible now. Calls that wait for the same capture share it. */
  async sync(options: { readonly signal?: AbortSignal } = {}): Promise<Pos> {
    options.signal?.throwIfAborted()
    this.#assertOpen()
    this.#waiting++
    try {
      await this.#captureNow()
    } finally {
      this.#waiting--
    }
    const position = this.#captureState.position as NonNullable<CaptureState['position']>
    return { txid: position.txid, postApplyChecksum: position.postApplyChecksum }
  }

  /** Resolves when every transaction committed before the call is in the replica. */
  async durable(options: { readonly signal?: AbortSignal } = {}): Promise<Pos> {
    const pos = await this.sync(options)
    await this.#uploader.waitFor(pos.txid, options.signal)
    return pos
  }

  /** Checkpoints on the operator's wish. `truncate` also gives the WAL's disk space back. */
  async checkpoint(
    mode: CheckpointMode = 'passive',
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    this.#assertOpen()
    const attachment = this.#attachment as Attachment
    if (this.#pinned > 0) throw new PrimaryError('busy', 'a snapshot reads the database')
    await attachment.cycle.run(true)
    if (mode !== 'passive') await attachment.checkpointer.run(this.#o.database, mode)
    await this.sync(options)
  }

  /**
   * Captures and uploads what is left, then lets the database go. The signal ends the wait for the
   * uploads; what is not uploaded stays in the spool.
   */
  close(options: { readonly signal?: AbortSignal } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(options.signal)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #start(): Promise<void> {
    this.#transition('open')
    const attachment = this.#attach()
    const lease = this.#o.lease ?? assumeSoleWriter(`pid ${process.pid}`)
    const decision = await decideStart({
      attachment,
      captureState: this.#captureState,
      spool: this.#spool,
      folder: this.#folder,
      replica: this.#o.replica,
      writer: this.#o.replica.writer(lease),
      onBehind: this.#o.onBehind ?? 'refuse',
      signal: this.#o.signal,
    })
    this.#uploader = new Uploader(
      {
        writer: this.#o.replica.writer(lease),
        spool: this.#spool,
        emit: this.#emit,
        failpoint: this.#o.failpoint,
        onFenced: (error) => this.#fence(error),
      },
      decision.head,
    )
    await this.#serial.run(() => this.#begin(attachment, decision))
    this.#listen()
  }

  async #begin(attachment: Attachment, decision: StartDecision): Promise<void> {
    if (decision.kind === 'snapshot') {
      await this.#snapshot(decision.txid, decision.reason)
      return
    }
    for (const file of decision.pending) this.#uploader.enqueue({ kind: 'file', file })
    if (decision.kind === 'adopted') {
      this.#transition('proven')
    } else if (attachment.capture.continues()) {
      this.#transition('proven')
      try {
        await this.#capture()
      } catch (error) {
        if (!isPrimaryError(error, 'wal-discontinuous')) throw error
        await this.#resync(error.message)
      }
    } else {
      await this.#resync('the WAL does not continue the last captured frame')
    }
    this.#transition('caught-up')
  }

  #attach(): Attachment {
    const attachment = new Attachment({
      database: this.#o.database,
      captureState: this.#captureState,
      spool: this.#spool,
      epoch: this.#o.lease?.epoch ?? 0n,
      now: this.#o.now ?? Date.now,
      failpoint: this.#o.failpoint,
      cutBytes: this.#o.cutBytes,
      serial: this.#serial,
      captureInside: () => this.#capture(),
      emit: this.#emit,
      checkpointFrames: this.#o.checkpointFrames ?? 1000,
      maxBarrierMs: this.#o.maxBarrierMs ?? 50,
    })
    this.#attachment = attachment
    return attachment
  }

  async #detach(): Promise<void> {
    const attachment = this.#attachment
    this.#attachment = undefined
    await attachment?.close()
  }

  /** Watch, safety poll, and the tick that keeps the holder fresh. */
  #listen(): void {
    this.#watch = new WALWatch(this.#o.database, () => this.#onEvent())
    if (!this.#watch.active) {
      this.#emit({
        type: 'warning',
        code: 'no-file-events',
        message: `no file events for ${this.#o.database}; commits are found by polling`,
      })
    }
    // The poll keeps the process alive; everything else is only a matter of being quicker.
    this.#pollTimer = setInterval(() => void this.#poll(), POLL_MS)
    this.#tickTimer = setInterval(() => void this.#tick(), REFRESH_MS)
    this.#tickTimer.unref()
    this.#onEvent()
  }

  #onEvent(): void {
    this.#recheckMs = 0
    const now = performance.now()
    this.#firstEvent ??= now
    const quiet = this.#o.quietMs ?? 5
    const patience = (this.#o.maxDelayMs ?? 50) - (now - this.#firstEvent)
    this.#look(Math.max(0, Math.min(quiet, patience)))
  }

  #look(inMs: number): void {
    clearTimeout(this.#eventTimer)
    this.#eventTimer = setTimeout(() => {
      this.#firstEvent = undefined
      void this.#onQuiet()
    }, inMs)
    this.#eventTimer.unref()
  }

  async #onQuiet(): Promise<void> {
    const attachment = this.#attachment
    if (this.#closing || attachment === undefined || this.#state === 'fenced') return
    const now = performance.now()
    if (now < this.#retryAt) return
    let behind: boolean
    try {
      behind = attachment.capture.isBehind()
    } catch {
      behind = true
    }
    if (!behind) {
      // The event comes before the commit becomes visible, so look again a few times.
      this.#recheckMs = this.#recheckMs === 0 ? 2 : this.#recheckMs * 2
      if (this.#recheckMs <= LONGEST_RECHECK_MS) this.#look(this.#recheckMs)
      return
    }
    this.#lastCommitSeen = now
    const due = this.#lastCapture + (this.#o.syncIntervalMs ?? 1000)
    if (now < due && this.#waiting === 0 && !this.#walIsLong(attachment)) {
      this.#look(due - now)
      return
    }
    await this.#captureNow().catch(() => undefined)
  }

  #walIsLong(attachment: Attachment): boolean {
    return attachment.files.index().mxFrame >= attachment.cycle.thresholdFrames
  }

  /** One capture; whoever asks before it has begun shares it. */
  #captureNow(): Promise<void> {
    this.#queuedCapture ??= this.#serial.run(async () => {
      this.#queuedCapture = undefined
      await this.#captureOrRecover()
    })
    return this.#queuedCapture
  }

  async #captureOrRecover(): Promise<void> {
    if (this.#state === 'fenced') throw this.#lastError
    try {
      await this.#reattachIfReplaced()
      await this.#capture()
      this.#retryMs = FIRST_RETRY_MS
      this.#retryAt = 0
      this.#lastError = undefined
      if (this.#state !== 'idle') this.#transition('caught-up')
    } catch (error) {
      await this.#recover(error as Error)
    }
    this.#maintain()
  }

  /** Everything visible, into the spool and the upload queue. Inside `#serial`. */
  async #capture(): Promise<void> {
    const attachment = this.#attachment
    if (attachment === undefined) throw new PrimaryError('closed', 'the database is detached')
    let started = performance.now()
    this.#lastCapture = started
    const onFile = (captured: CapturedFile): void => {
      if (this.#state !== 'capturing') this.#transition('commit')
      this.#accept(captured, started)
      started = performance.now()
    }
    await attachment.capture.capture(onFile)
  }

  #accept({ file, pos, pages, wal }: CapturedFile, started: number): void {
    this.#uploader.enqueue({ kind: 'file', file })
    this.#emit({
      type: 'captured',
      pos,
      pages,
      bytes: file.size,
      milliseconds: performance.now() - started,
      wal,
    })
  }

  async #recover(error: Error): Promise<void> {
    try {
      if (isPrimaryError(error, 'wal-discontinuous')) {
        await this.#resync(error.message)
      } else if (isPrimaryError(error, 'page-size-changed')) {
        await this.#detach()
        this.#attach()
        await this.#snapshot(this.#nextTXID(), 'page-size-changed')
      } else {
        throw error
      }
      this.#lastError = undefined
      this.#transition('caught-up')
    } catch (cause) {
      this.#lastError = cause as Error
      this.#transition('failure')
      this.#retryAt = performance.now() + this.#retryMs
      this.#emit({ type: 'failed', operation: 'capture', error: cause as Error, retryInMs: this.#retryMs })
      this.#look(this.#retryMs + 1)
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
      throw cause
    }
  }

  async #resync(reason: string): Promise<void> {
    const attachment = this.#attachment as Attachment
    if (this.#pinned > 0) throw new PrimaryError('busy', 'a snapshot reads the database')
    this.#transition('doubt')
    const started = performance.now()
    const captured = await attachment.capture.resync(this.#o.signal)
    if (captured !== undefined) this.#accept(captured, started)
    const position = this.#captureState.position as NonNullable<CaptureState['position']>
    this.#emit({
      type: 'resynced',
      pos: { txid: position.txid, postApplyChecksum: position.postApplyChecksum },
      changedPages: captured?.pages ?? 0,
      reason,
      milliseconds: performance.now() - started,
    })
  }

  async #snapshot(txid: TXID, reason: SnapshotReason): Promise<void> {
    const attachment = this.#attachment as Attachment
    this.#transition('no-base')
    for (const file of this.#spool.list()) this.#spool.remove(file)
    this.#emit({ type: 'snapshot-started', txid, reason })
    this.#pinned++
    try {
      const snapshot = await attachment.capture.snapshot(txid, { signal: this.#o.signal })
      this.#uploader.enqueue({
        kind: 'snapshot',
        snapshot,
        done: () => {
          this.#pinned--
          this.#maintain()
        },
        broken: (error) => {
          this.#pinned--
          this.#emit({ type: 'failed', operation: 'snapshot', error })
          void this.#serial.run(() => this.#snapshot(this.#nextTXID(), reason)).catch(() => undefined)
        },
      })
    } catch (error) {
      this.#pinned--
      throw error
    }
    this.#transition('caught-up')
  }

  #nextTXID(): TXID {
    const captured = this.#captureState.position?.txid ?? 0n
    const uploaded = this.#uploader.uploaded ?? 0n
    return toTXID((captured > uploaded ? captured : uploaded) + 1n)
  }

  /** Starts a checkpoint when the WAL is long enough. Does not wait for it. */
  #maintain(): void {
    const attachment = this.#attachment
    if (this.#closing || attachment === undefined || this.#pinned > 0 || this.#state === 'fenced') return
    if (attachment.cycle.running || this.#lastError !== undefined) return
    if (this.#walIsLong(attachment)) this.#cycle(attachment, true)
  }

  #cycle(attachment: Attachment, withBarrier: boolean): void {
    attachment.cycle.run(withBarrier).then(
      () => this.#onEvent(),
      (error: Error) => {
        if (this.#closing === undefined) this.#emit({ type: 'failed', operation: 'checkpoint', error })
      },
    )
  }

  /** Every 200 ms while there is something to do: a stale holder stalls the application's own checkpoints. */
  async #tick(): Promise<void> {
    const attachment = this.#attachment
    if (this.#closing || attachment === undefined || this.#pinned > 0 || this.#state === 'fenced') return
    if (attachment.cycle.running || this.#lastError !== undefined) return
    let index: ReturnType<typeof attachment.files.index>
    try {
      index = attachment.files.index()
    } catch {
      return
    }
    const backfilled = index.backfill >= index.mxFrame
    if (backfilled && attachment.holder.restartIsCaptured) return
    if (!backfilled && performance.now() - this.#lastCommitSeen > PARK_AFTER_MS) {
      this.#cycle(attachment, false)
      return
    }
    if (!backfilled && index.mxFrame === attachment.holder.mark) return
    await this.#serial
      .run(async () => {
        if (this.#attachment === attachment && !attachment.cycle.running && this.#pinned === 0) {
          await attachment.holder.move(() => this.#capture())
        }
      })
      .catch(() => this.#look(0))
  }

  async #poll(): Promise<void> {
    if (this.#closing || this.#state === 'fenced' || performance.now() < this.#retryAt) return
    if (this.#attachment?.files.replaced() !== undefined) await this.#captureNow().catch(() => undefined)
    else await this.#onQuiet()
  }

  /** Another file behind the path, or a deleted WAL: everything is opened anew and compared. */
  async #reattachIfReplaced(): Promise<void> {
    const replaced = this.#attachment === undefined ? 'database' : this.#attachment.files.replaced()
    if (replaced === undefined) return
    if (this.#pinned > 0)
      throw new PrimaryError('database-replaced', `the ${replaced} file was replaced during a snapshot`)
    this.#emit({
      type: 'warning',
      code: 'files-replaced',
      message: `the ${replaced} file of ${this.#o.database} is not the one that was opened`,
    })
    await this.#detach()
    const attachment = this.#attach()
    if (attachment.pageSize !== this.#captureState.position?.pageSize) {
      await this.#snapshot(this.#nextTXID(), 'page-size-changed')
    } else {
      await this.#resync(`the ${replaced} file was replaced`)
    }
  }

  async #close(signal?: AbortSignal): Promise<CloseReport> {
    clearTimeout(this.#eventTimer)
    clearInterval(this.#tickTimer)
    clearInterval(this.#pollTimer)
    this.#watch?.close()
    const attachment = this.#attachment
    await attachment?.cycle.settled().catch(() => undefined)
    if (this.#state !== 'fenced') {
      await this.#serial
        .run(() => this.#capture())
        .catch((error: Error) => {
          this.#lastError = error
        })
      const position = this.#captureState.position
      if (position !== undefined && !signal?.aborted) {
        await this.#uploader.waitFor(position.txid, signal).catch(() => undefined)
      }
    }
    await this.#uploader.stop()
    await this.#detach()
    this.#captureState.close()
    this.#lock.release()
    this.#transition('close')
    const position = this.#captureState.position
    const uploaded = this.#uploader.uploaded
    return {
      ...(position && { captured: { txid: position.txid, postApplyChecksum: position.postApplyChecksum } }),
      ...(uploaded !== undefined && { uploaded }),
      pendingFiles: this.#uploader.pendingFiles,
    }
  }

  #fence(error: Error): void {
    this.#lastError = error
    this.#transition('fence')
  }

  #assertOpen(): void {
    if (this.#closing) throw new PrimaryError('closed', 'the replicator is closed')
    if (this.#state === 'fenced') throw this.#lastError
  }

  #transition(trigger: PrimaryTrigger): void {
    const from = this.#state
    const to = nextState(from, trigger)
    this.#state = to
    if (from !== to) this.#emit({ type: 'state', from, to })
  }

  readonly #emit = (event: PrimaryEvent): void => {
    try {
      this.#o.onEvent?.(event)
    } catch {
      // A listener's mistake must not stop a backup.
    }
  }
}
