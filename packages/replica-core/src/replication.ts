import { type Pos, type TXID, toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter } from '@sqlstream/replica'
import { Attachment } from './attachment.ts'
import type { CapturedFile } from './capture/capture.ts'
import { isPrimaryError, PrimaryError } from './errors.ts'
import type { PrimaryEvent } from './events.ts'
import type { PrimaryOptions } from './options.ts'
import type { SnapshotReason } from './plan-start.ts'
import { Serial } from './serial.ts'
import { missingCompanion } from './sqlite/database-files.ts'
import { decideStart, type StartDecision } from './start.ts'
import { CaptureState } from './state/capture-state.ts'
import type { Position } from './state/position.ts'
import { Spool } from './state/spool.ts'
import type { StateFolder } from './state/state-folder.ts'
import { nextState, type PrimaryState, type PrimaryTrigger } from './state-machine.ts'
import { Uploader } from './upload.ts'

/**
 * The work of a primary without its timers: start, capture, recovery, snapshot. Everything that
 * touches the holder or the position runs inside `serial`.
 */
export class Replication {
  readonly serial: Serial = new Serial()
  readonly #o: PrimaryOptions
  readonly #folder: StateFolder
  readonly #spool: Spool
  readonly #captureState: CaptureState
  #uploader: Uploader | undefined
  #attachment: Attachment | undefined
  #state: PrimaryState = 'closed'
  #lastError: Error | undefined
  #fenced: Error | undefined
  #queued: Promise<void> | undefined
  #lastCapture = Number.NEGATIVE_INFINITY
  /** Snapshots that read the live database: the holder must not move. */
  #pinned = 0

  constructor(options: PrimaryOptions, folder: StateFolder) {
    this.#o = options
    this.#folder = folder
    this.#spool = new Spool(folder.spool, options.failpoint)
    this.#captureState = CaptureState.open(folder, options.failpoint)
  }

  get state(): PrimaryState {
    return this.#state
  }

  get lastError(): Error | undefined {
    return this.#fenced ?? this.#lastError ?? this.#uploader?.lastError
  }

  /** When the last capture began, on the clock of `performance.now`. */
  get lastCapture(): number {
    return this.#lastCapture
  }

  /** The last captured transaction. */
  get pos(): Pos | undefined {
    const position = this.#captureState.position
    return position && { txid: position.txid, postApplyChecksum: position.postApplyChecksum }
  }

  /** @throws TypeError before the start */
  get uploader(): Uploader {
    if (this.#uploader === undefined) throw new TypeError('not started')
    return this.#uploader
  }

  get attachment(): Attachment | undefined {
    return this.#attachment
  }

  /** The attachment while its holder may be moved. */
  get movable(): Attachment | undefined {
    const free = this.#pinned === 0 && this.#state !== 'fenced' && this.#lastError === undefined
    return free ? this.#attachment : undefined
  }

  /** Decides how to go on and does it. @throws PrimaryError, the store's errors */
  async start(): Promise<void> {
    this.#transition('open')
    const attachment = this.#attach()
    const lease = this.#o.lease ?? assumeSoleWriter(`pid ${process.pid}`)
    const writer = this.#o.replica.writer(lease)
    const decision = await decideStart({
      attachment,
      captureState: this.#captureState,
      spool: this.#spool,
      folder: this.#folder,
      replica: this.#o.replica,
      writer,
      onBehind: this.#o.onBehind ?? 'refuse',
      signal: this.#o.signal,
    })
    this.#uploader = new Uploader(
      {
        writer,
        spool: this.#spool,
        emit: this.emit,
        failpoint: this.#o.failpoint,
        onFenced: (error) => {
          this.#fenced = error
          this.#transition('fence')
        },
        onLost: (error) => this.#startOver(error, 'spool-lost'),
      },
      decision.head,
    )
    await this.serial.run(() => this.#begin(attachment, decision))
  }

  /** One capture of everything visible, with recovery; whoever asks before it has begun shares it. */
  captureNow(): Promise<void> {
    this.#queued ??= this.serial.run(async () => {
      this.#queued = undefined
      if (this.#fenced !== undefined) throw this.#fenced
      try {
        await this.#reattachIfReplaced()
        await this.capture()
        this.#recovered()
      } catch (error) {
        await this.#recover(error as Error)
      }
    })
    return this.#queued
  }

  /**
   * Everything visible, into the spool and the upload queue. To be called inside `serial`.
   * @throws PrimaryError `wal-discontinuous`, `page-size-changed`, `disk-full`
   */
  readonly capture = async (): Promise<void> => {
    const attachment = this.#attachment
    if (attachment === undefined) throw new PrimaryError('closed', 'the database is detached')
    let started = performance.now()
    this.#lastCapture = started
    await attachment.capture.capture((captured) => {
      if (this.#state !== 'capturing') this.#transition('commit')
      this.#accept(captured, started)
      started = performance.now()
    })
    if (this.#state === 'capturing') this.#transition('caught-up')
  }

  /** Uploads what is left and lets go of everything but the local lock. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.#attachment?.cycle.settled().catch(() => undefined)
    if (this.#state !== 'fenced' && this.#uploader !== undefined) {
      await this.serial.run(this.capture).catch((error: Error) => {
        this.#lastError = error
      })
      const { pos } = this
      if (pos !== undefined && !signal?.aborted) {
        await this.#uploader.waitFor(pos.txid, signal).catch(() => undefined)
      }
    }
    await this.#uploader?.stop()
    await this.#detach()
    this.#captureState.close()
    this.#transition('close')
  }

  /** Hands an event to the listener. */
  readonly emit = (event: PrimaryEvent): void => {
    try {
      this.#o.onEvent?.(event)
    } catch {
      // A listener's mistake must not stop a backup.
    }
  }

  async #begin(attachment: Attachment, decision: StartDecision): Promise<void> {
    if (decision.kind === 'snapshot') {
      await this.#snapshot(decision.txid, decision.reason)
      return
    }
    for (const file of decision.pending) this.uploader.enqueue({ kind: 'file', file })
    if (decision.kind === 'adopted') {
      this.#transition('proven')
    } else if (attachment.capture.continues()) {
      this.#transition('proven')
      try {
        await this.capture()
      } catch (error) {
        if (!isPrimaryError(error, 'wal-discontinuous')) throw error
        await this.#resync(error.message)
      }
      // The WAL may be all copied: then the first write restarts it, which is only expected after this.
      await attachment.holder.move(this.capture)
    } else {
      await this.#resync('the WAL does not continue the last captured frame')
    }
    this.#transition('caught-up')
  }

  #attach(): Attachment {
    this.#attachment = new Attachment({
      database: this.#o.database,
      captureState: this.#captureState,
      spool: this.#spool,
      epoch: this.#o.lease?.epoch ?? 0n,
      now: this.#o.now ?? Date.now,
      failpoint: this.#o.failpoint,
      cutBytes: this.#o.cutBytes,
      serial: this.serial,
      captureInside: this.capture,
      emit: this.emit,
      checkpointFrames: this.#o.checkpointFrames ?? 1000,
      maxBarrierMs: this.#o.maxBarrierMs ?? 50,
    })
    return this.#attachment
  }

  async #detach(): Promise<void> {
    const attachment = this.#attachment
    this.#attachment = undefined
    await attachment?.close()
  }

  #accept({ file, pos, pages, wal }: CapturedFile, started: number): void {
    this.uploader.enqueue({ kind: 'file', file })
    const milliseconds = performance.now() - started
    this.emit({ type: 'captured', pos, pages, bytes: file.size, wal, milliseconds })
  }

  #recovered(): void {
    this.#lastError = undefined
    if (this.#state !== 'idle') this.#transition('caught-up')
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
      this.#recovered()
    } catch (cause) {
      this.#lastError = cause as Error
      this.#transition('failure')
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
    this.emit({
      type: 'resynced',
      pos: this.pos as Pos,
      changedPages: captured?.pages ?? 0,
      reason,
      milliseconds: performance.now() - started,
    })
  }

  async #snapshot(txid: TXID, reason: SnapshotReason): Promise<void> {
    const attachment = this.#attachment as Attachment
    this.#transition('no-base')
    this.uploader.discard()
    for (const file of this.#spool.list()) this.#spool.remove(file)
    this.emit({ type: 'snapshot-started', txid, reason })
    this.#pinned++
    try {
      const snapshot = await attachment.capture.snapshot(txid, { signal: this.#o.signal })
      this.uploader.enqueue({
        kind: 'snapshot',
        snapshot,
        done: () => {
          this.#pinned--
        },
        broken: (error) => {
          this.#pinned--
          this.#startOver(error, reason)
        },
      })
    } catch (error) {
      this.#pinned--
      throw error
    }
    this.#transition('caught-up')
  }

  /** What was to be uploaded cannot be read any more: a new image stands for all of it. */
  #startOver(error: Error, reason: SnapshotReason): void {
    this.emit({ type: 'failed', operation: 'snapshot', error })
    this.serial
      .run(() => this.#snapshot(this.#nextTXID(), reason))
      .catch((cause: Error) => {
        this.#lastError = cause
        this.#transition('failure')
      })
  }

  #nextTXID(): TXID {
    const captured = this.#captureState.position?.txid ?? 0n
    const uploaded = this.uploader.uploaded ?? 0n
    return toTXID((captured > uploaded ? captured : uploaded) + 1n)
  }

  /** Another file behind the path, or a deleted WAL: everything is opened anew and compared. */
  async #reattachIfReplaced(): Promise<void> {
    const replaced = this.#attachment === undefined ? 'database' : this.#attachment.files.replaced()
    if (replaced === undefined) return
    if (this.#pinned > 0) {
      throw new PrimaryError('database-replaced', `the ${replaced} file was replaced during a snapshot`)
    }
    if (this.#attachment !== undefined) {
      this.emit({
        type: 'warning',
        code: 'files-replaced',
        message: `the ${replaced} file of ${this.#o.database} is not the one that was opened`,
      })
    }
    await this.#detach()
    refuseHalfSet(this.#o.database)
    const attachment = this.#attach()
    const before = this.#captureState.position as Position
    if (attachment.pageSize !== before.pageSize) await this.#snapshot(this.#nextTXID(), 'page-size-changed')
    else await this.#resync(`the ${replaced} file was replaced`)
  }

  #transition(trigger: PrimaryTrigger): void {
    const from = this.#state
    // What was under way when another writer was met ends as it may; it changes nothing any more.
    if (from === 'fenced' && trigger !== 'close') return
    const to = nextState(from, trigger)
    this.#state = to
    if (from !== to) this.emit({ type: 'state', from, to })
  }
}

/**
 * An application that goes on with a deleted -wal or -shm saves everything when it closes, provided that
 * nobody else has the database open then. So we stay away until it has.
 */
function refuseHalfSet(database: string): void {
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
