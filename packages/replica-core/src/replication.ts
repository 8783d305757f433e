import type { Pos } from '@sqlstream/ltx'
import type { Catalog } from '@sqlstream/replica'
import { abortable } from '@sqlstream/storage'
import { Attachment } from './attachment.ts'
import type { CapturedFile } from './capture/context.ts'
import { PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Maintenance } from './maintenance/maintenance.ts'
import type { PrimaryOptions } from './options.ts'
import type { ReplicationParts } from './primary-context.ts'
import { Rebuild } from './rebuild.ts'
import { Recovery } from './recovery.ts'
import { ReplicaSide } from './replica-side.ts'
import { type Rest, restableSignatures } from './rest.ts'
import { Resumption } from './resumption.ts'
import { Serial } from './serial.ts'
import { CaptureState } from './state/capture-state.ts'
import { removeOwed } from './state/owed.ts'
import type { Position } from './state/position.ts'
import type { PrimaryState } from './state-machine.ts'
import { Suspension } from './suspension.ts'
import type { Uploader } from './upload.ts'

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
  readonly suspension: Suspension
  readonly #resumption: Resumption
  readonly #side: ReplicaSide
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
    const shared = {
      lifecycle,
      captureState: this.#captureState,
      emit: this.emit,
      serial: this.serial,
      uploader: () => this.uploader,
      path: folder.owed,
      failpoint,
    }
    this.#rebuild = new Rebuild({
      ...shared,
      keep: folder.kept,
      attachment: () => this.#attachment as Attachment,
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
    this.#side = new ReplicaSide(options, parts, {
      ...shared,
      onUploaded: (txid) => this.suspension.uploaded(txid),
      onFenced: (error) => {
        this.#fenced = error
        this.#lifecycle.transition('fence')
      },
      onLost: (error) => this.#rebuild.startOver(error, 'spool-lost'),
      onLate: (error) => this.#rebuild.startOver(error, 'late-writer'),
    })
    this.#resumption = new Resumption({
      ...shared,
      rebuild: this.#rebuild,
      attachment: () => this.#attachment as Attachment,
      capture: this.capture,
      onOwed: (owed) => this.suspension.owe(owed),
    })
    this.suspension = new Suspension({
      ...shared,
      attachment: () => this.#attachment,
      reopen: () => this.#recovery.reopen(),
      decide: (signal) =>
        this.#side.decideAgain(this.#attachment as Attachment, this.suspension.owed, signal),
      goOn: async ({ decision, catalog }) => {
        await this.#side.maintain(catalog as Catalog)
        await this.#resumption.goOn(decision)
        this.#lastError = undefined
      },
    })
  }

  get state(): PrimaryState {
    return this.#lifecycle.state
  }

  get lastError(): Error | undefined {
    return (
      this.#fenced ??
      this.suspension.error ??
      this.#lastError ??
      (this.#side.started ? this.uploader.lastError : undefined)
    )
  }

  /** When the last capture began, on the clock of `performance.now`. */
  get lastCapture(): number {
    return this.#lastCapture
  }

  /** What was captured last, and where in the WAL. */
  get position(): Position | undefined {
    return this.#captureState.position
  }

  /** The last captured transaction. */
  get pos(): Pos | undefined {
    const { position } = this
    return position && { txid: position.txid, postApplyChecksum: position.postApplyChecksum }
  }

  /** @throws TypeError before the start */
  get uploader(): Uploader {
    return this.#side.uploader
  }

  get maintenance(): Maintenance | undefined {
    return this.#side.maintenance
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
    return free && this.suspension.error === undefined ? this.#attachment : undefined
  }

  /** Decides how to go on and does it. @throws PrimaryError, the store's errors */
  async start(): Promise<void> {
    this.#lifecycle.transition('open')
    this.#attach()
    const found = await this.#side.decide(this.#attachment as Attachment)
    // What is noted of an earlier time holds no more.
    if (found.decision.kind !== 'owing') removeOwed(this.#parts.folder.owed)
    await this.serial.run(() => this.#resumption.begin(found))
  }

  /** One capture of everything visible, with recovery; whoever asks before it has begun shares it. */
  captureNow(): Promise<void> {
    this.#queued ??= this.serial.run(async () => {
      this.#queued = undefined
      if (this.#fenced !== undefined) throw this.#fenced
      if (this.#lifecycle.state === 'closed') throw new PrimaryError('closed', 'the database was let go')
      if (this.suspension.error !== undefined) throw this.suspension.error
      try {
        await this.#recovery.reattachIfReplaced()
        await this.#rebuild.takeDue()
        await this.capture()
        this.#recovered()
      } catch (error) {
        await this.#recovery.recover(this.#fenced ?? (error as Error)).catch((cause: Error) => {
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
    if (this.suspension.error !== undefined) throw this.suspension.error
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
      const { movable: attachment, pos: captured } = this
      if (attachment === undefined || captured === undefined || this.state !== 'idle') return undefined
      const isFlushed = await this.#captureState.tryFlush()
      const left =
        isFlushed && restableSignatures({ attachment, captured, uploader: this.uploader, now: Date.now() })
      if (!left) return undefined
      await this.#detach()
      await this.uploader.stop()
      this.#captureState.close()
      this.#lifecycle.transition('close')
      return { pos: captured, ...left, maintenance: this.maintenance }
    })
  }

  /** Whether an image is read: the WAL cannot be restarted. */
  get pinned(): boolean {
    return this.#rebuild.pinned
  }

  /** Uploads what is left and lets go of everything but the local lock. */
  async close(signal?: AbortSignal): Promise<void> {
    await this.maintenance?.stopVerifying()
    await this.#attachment?.cycle.settled().catch(() => undefined)
    if (this.suspension.error !== undefined && !signal?.aborted)
      await abortable(this.suspension.resume(), signal).catch(() => undefined)
    await this.suspension.end()
    const { error } = this.suspension
    if (this.#lifecycle.state !== 'fenced' && this.#side.started && error === undefined) {
      const last = (): Promise<void> => this.#rebuild.takeDue().then(this.capture)
      await this.serial.run(last).catch((error: Error) => {
        this.#lastError = error
      })
      if (this.pos !== undefined && !signal?.aborted && !this.uploader.held) {
        await this.uploader.waitFor(this.pos.txid, signal).catch(() => undefined)
      }
    }
    await this.maintenance?.stop()
    if (this.#side.started) await this.uploader.stop()
    await this.#detach()
    this.#captureState.close()
    this.#lifecycle.transition('close')
  }

  #attach(): Attachment {
    this.#attachment = new Attachment(this.#o, {
      ...this.#parts,
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
    if (this.#fenced !== undefined) throw this.#fenced
    if (this.#lifecycle.state !== 'idle') this.#lifecycle.transition('caught-up')
  }
}
