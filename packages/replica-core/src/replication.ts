import type { Pos } from '@sqlstream/ltx'
import { Attachment } from './attachment.ts'
import type { CapturedFile } from './capture/context.ts'
import { isPrimaryError, PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import { judgeCollision } from './lease/late-file.ts'
import type { Lifecycle } from './lifecycle.ts'
import { type Maintenance, startMaintenance } from './maintenance/maintenance.ts'
import type { PrimaryOptions } from './options.ts'
import type { ReplicationParts } from './primary-context.ts'
import { Rebuild } from './rebuild.ts'
import { Recovery } from './recovery.ts'
import { type Continuation, type Rest, restableSignatures, resumeOrDecide } from './rest.ts'
import { Serial } from './serial.ts'
import { CaptureState } from './state/capture-state.ts'
import type { Position } from './state/position.ts'
import type { PrimaryState } from './state-machine.ts'
import { Uploader } from './upload.ts'

/**
 * The work of a primary without its timers: start, capture, recovery, snapshot. Everything that
 * touches the holder or the position runs inside `serial`.
 */
export class Replication {
  readonly serial: Serial = new Serial()
  readonly emit: PrimaryListener
  readonly #o: PrimaryOptions
  readonly #parts: ReplicationParts
  readonly #lifecycle: Lifecycle
  readonly #rebuild: Rebuild
  readonly #recovery: Recovery
  readonly #captureState: CaptureState
  #uploader: Uploader | undefined
  /** Of the replica, once it has started. */
  maintenance: Maintenance | undefined
  #attachment: Attachment | undefined
  #lastError: Error | undefined
  #fenced: Error | undefined
  #queued: Promise<void> | undefined
  #lastCapture = Number.NEGATIVE_INFINITY

  constructor(options: PrimaryOptions, parts: ReplicationParts) {
    const { folder, lifecycle, log } = parts
    const { failpoint } = options
    this.#o = options
    this.#parts = parts
    this.#lifecycle = lifecycle
    this.emit = lifecycle.emit
    this.#captureState = CaptureState.open(folder, { log, failpoint })
    this.#rebuild = new Rebuild({
      lifecycle: this.#lifecycle,
      captureState: this.#captureState,
      keep: folder.kept,
      serial: this.serial,
      attachment: () => this.#attachment as Attachment,
      uploader: () => this.uploader,
      accept: (captured, started) => this.#accept(captured, started),
      onFailure: (error) => {
        this.#lastError = error
        this.#lifecycle.transition('failure')
      },
      signal: this.#o.signal,
    })
    this.#recovery = new Recovery({
      database: options.database,
      emit: this.emit,
      rebuild: this.#rebuild,
      attachment: () => this.#attachment,
      attach: () => this.#attach(),
      detach: () => this.#detach(),
      pageSize: () => (this.#captureState.position as Position).pageSize,
    })
  }

  get state(): PrimaryState {
    return this.#lifecycle.state
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

  /** How many whole images were begun. */
  get bases(): number {
    return this.#rebuild.bases
  }

  get attachment(): Attachment | undefined {
    return this.#attachment
  }

  /** The attachment while its holder may be moved. */
  get movable(): Attachment | undefined {
    const free = !this.#rebuild.pinned && this.state !== 'fenced' && this.#lastError === undefined
    return free ? this.#attachment : undefined
  }

  /** Decides how to go on and does it. @throws PrimaryError, the store's errors */
  async start(): Promise<void> {
    this.#lifecycle.transition('open')
    const attachment = this.#attach()
    const writer = this.#o.replica.writer(this.#parts.lease)
    const { resting, folder, limits } = this.#parts
    const { emit } = this
    const { onBehind = 'refuse', onDiverged = 'refuse' } = this.#o
    const found = await resumeOrDecide(this.#parts, {
      ...this.#o,
      attachment,
      captureState: this.#captureState,
      folder,
      lease: this.#parts.lease,
      writer,
      onBehind,
      onDiverged,
    })
    const { catalog, known } = found
    this.#uploader = new Uploader(
      {
        writer,
        judge: (level, range, signal) =>
          judgeCollision(this.#o.replica, this.#parts.lease, level, range, signal),
        captureState: this.#captureState,
        emit,
        slots: limits?.uploads,
        failpoint: this.#o.failpoint,
        onUploaded: (file, bytes) => this.maintenance?.uploaded(file, bytes),
        onFenced: (error) => {
          this.#fenced = error
          void this.maintenance?.stopVerifying()
          this.#lifecycle.transition('fence')
        },
        onLost: (error) => this.#rebuild.startOver(error, 'spool-lost'),
        onLate: (error) => this.#rebuild.startOver(error, 'late-writer'),
      },
      found.decision.head,
    )
    if (catalog === undefined) this.maintenance = resting?.maintenance
    else {
      await resting?.maintenance?.stop()
      this.maintenance = startMaintenance(this.#o, { writer, emit, catalog, known, limits })
    }
    await this.serial.run(() => this.#begin(attachment, found))
  }

  /** One capture of everything visible, with recovery; whoever asks before it has begun shares it. */
  captureNow(): Promise<void> {
    this.#queued ??= this.serial.run(async () => {
      this.#queued = undefined
      if (this.#fenced !== undefined) throw this.#fenced
      if (this.#lifecycle.state === 'closed') throw new PrimaryError('closed', 'the database was let go')
      try {
        await this.#recovery.reattachIfReplaced()
        await this.#rebuild.payOwed()
        await this.capture()
        this.#recovered()
      } catch (error) {
        await this.#recovery.recover(error as Error).catch((cause: Error) => {
          this.#lastError = cause
          this.#lifecycle.transition('failure')
          throw cause
        })
        this.#recovered()
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
    await this.#captureState.room()
    let started = performance.now()
    this.#lastCapture = started
    await attachment.capture.capture((captured) => {
      if (this.#lifecycle.state !== 'capturing') this.#lifecycle.transition('commit')
      this.#accept(captured, started)
      started = performance.now()
    })
    // Before the holder moves to where it allows a restart (C5).
    await this.#captureState.synced()
    if (this.#lifecycle.state === 'capturing') this.#lifecycle.transition('caught-up')
  }

  /**
   * Lets the database go as it is, with everything in the replica; maintenance goes on. Undefined while something is left to
   * do: then nothing has changed.
   */
  rest(): Promise<Rest | undefined> {
    return this.serial.run(async () => {
      const attachment = this.movable
      const captured = this.pos
      if (attachment === undefined || captured === undefined || this.state !== 'idle') return undefined
      const { uploader } = this
      const isFlushed = await this.#captureState.tryFlush()
      const left = isFlushed && restableSignatures({ attachment, captured, uploader, now: Date.now() })
      if (!left) return undefined
      await this.#detach()
      await uploader.stop()
      this.#captureState.close()
      this.#lifecycle.transition('close')
      return { pos: captured, ...left, maintenance: this.maintenance }
    })
  }

  /** Uploads what is left and lets go of everything but the local lock. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.maintenance?.stopVerifying()
    await this.#attachment?.cycle.settled().catch(() => undefined)
    if (this.#lifecycle.state !== 'fenced' && this.#uploader !== undefined) {
      const last = this.serial.run(() => this.#rebuild.payOwed().then(this.capture))
      await last.catch((error: Error) => {
        this.#lastError = error
      })
      const { pos } = this
      if (pos !== undefined && !signal?.aborted && !this.#uploader.held) {
        await this.#uploader.waitFor(pos.txid, signal).catch(() => undefined)
      }
    }
    await this.maintenance?.stop()
    await this.#uploader?.stop()
    await this.#detach()
    this.#captureState.close()
    this.#lifecycle.transition('close')
  }

  async #begin(attachment: Attachment, { decision, signature }: Continuation): Promise<void> {
    if (decision.kind === 'snapshot') {
      await this.#rebuild.snapshot(decision.reason, decision.txid)
      return
    }
    for (const file of decision.pending) this.uploader.enqueue({ kind: 'file', file })
    if (decision.kind === 'adopted') {
      this.#lifecycle.transition('proven')
    } else if (attachment.capture.continues(signature)) {
      this.#lifecycle.transition('proven')
      try {
        await this.capture()
      } catch (error) {
        if (!isPrimaryError(error, 'wal-discontinuous')) throw error
        await this.#rebuild.resync(error.message)
      }
      // The WAL may be all copied: then the first write restarts it, which is only expected after this.
      await attachment.holder.move(this.capture)
    } else {
      await this.#rebuild.resync('the WAL does not continue the last captured frame')
    }
    this.#lifecycle.transition('caught-up')
  }

  #attach(): Attachment {
    this.#attachment = new Attachment(this.#o, {
      threads: this.#parts.threads,
      lease: this.#parts.lease,
      captureState: this.#captureState,
      serial: this.serial,
      capture: this.capture,
      emit: this.emit,
    })
    return this.#attachment
  }

  async #detach(): Promise<void> {
    const attachment = this.#attachment
    this.#attachment = undefined
    await attachment?.close()
  }

  #accept({ file, ...rest }: CapturedFile, started: number): void {
    this.uploader.enqueue({ kind: 'file', file })
    this.emit({ type: 'captured', ...rest, bytes: file.size, milliseconds: performance.now() - started })
  }

  #recovered(): void {
    this.#lastError = undefined
    if (this.#lifecycle.state !== 'idle') this.#lifecycle.transition('caught-up')
  }
}
