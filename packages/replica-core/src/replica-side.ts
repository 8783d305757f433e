import type { TXID } from '@sqlstream/ltx'
import type { Catalog, ReplicaWriter } from '@sqlstream/replica'
import type { Attachment } from './attachment.ts'
import type { PrimaryListener } from './events.ts'
import { HeldLease } from './lease/held-lease.ts'
import { judgeCollision } from './lease/late-file.ts'
import { type Maintenance, startMaintenance } from './maintenance/maintenance.ts'
import type { PrimaryOptions } from './options.ts'
import type { ReplicationParts } from './primary-context.ts'
import { type Continuation, resumeOrDecide } from './rest.ts'
import { decideStart } from './start.ts'
import type { CaptureState } from './state/capture-state.ts'
import type { Owed } from './state/owed.ts'
import type { KnownReplica } from './state/rest-record.ts'
import { Uploader } from './upload.ts'

/** What the rest of a replication learns from its replica. */
export interface ReplicaSideHooks {
  readonly captureState: CaptureState
  readonly emit: PrimaryListener
  /** The replica has everything up to here. */
  readonly onUploaded: (txid: TXID) => void
  readonly onFenced: (error: Error) => void
  /** See `UploaderContext`. */
  readonly onLost: (error: Error) => void
  readonly onLate: (error: Error) => void
}

/** What a replication has to do with its replica: how it goes on there, uploads, maintenance. */
export class ReplicaSide {
  readonly #o: PrimaryOptions
  readonly #parts: ReplicationParts
  readonly #hooks: ReplicaSideHooks
  readonly #writer: ReplicaWriter
  #uploader: Uploader | undefined
  #maintenance: Maintenance | undefined

  constructor(options: PrimaryOptions, parts: ReplicationParts, hooks: ReplicaSideHooks) {
    this.#o = options
    this.#parts = parts
    this.#hooks = hooks
    this.#writer = options.replica.writer(parts.lease)
  }

  /** @throws TypeError before the start */
  get uploader(): Uploader {
    if (this.#uploader === undefined) throw new TypeError('not started')
    return this.#uploader
  }

  get started(): boolean {
    return this.#uploader !== undefined
  }

  /** Of the replica, once it has started. */
  get maintenance(): Maintenance | undefined {
    return this.#maintenance
  }

  /** Decides how to go on at the start. @throws PrimaryError, the store's errors */
  async decide(attachment: Attachment): Promise<Continuation> {
    const { resting } = this.#parts
    const found = await resumeOrDecide(this.#parts, this.#context(attachment, this.#o.signal))
    this.#uploader = this.#makeUploader(found.decision.head)
    if (found.catalog === undefined) {
      this.#maintenance = resting?.maintenance
    } else {
      await resting?.maintenance?.stop()
      await this.maintain(found.catalog, found.known)
    }
    return found
  }

  /** The same after a time without uploads. The lease first: one request, and whoever has taken it meanwhile is met. */
  async decideAgain(
    attachment: Attachment,
    owed: Owed | undefined,
    signal: AbortSignal,
  ): Promise<Continuation> {
    const { lease } = this.#parts
    try {
      if (lease instanceof HeldLease) await lease.renew({ signal })
    } catch (error) {
      if (lease.signal.aborted) this.uploader.fence(error as Error)
      throw error
    }
    return decideStart({ ...this.#context(attachment, signal), owed })
  }

  /** Merges and removes from now on what a listing has shown. */
  async maintain(catalog: Catalog, known?: KnownReplica): Promise<void> {
    await this.#maintenance?.stop()
    const { limits } = this.#parts
    const { emit } = this.#hooks
    this.#maintenance = startMaintenance(this.#o, { writer: this.#writer, emit, catalog, known, limits })
  }

  #context(attachment: Attachment, signal: AbortSignal | undefined): Parameters<typeof resumeOrDecide>[1] {
    const { onBehind = 'refuse', onDiverged = 'refuse' } = this.#o
    const { folder, lease } = this.#parts
    const { captureState } = this.#hooks
    return {
      ...this.#o,
      attachment,
      captureState,
      folder,
      lease,
      writer: this.#writer,
      onBehind,
      onDiverged,
      signal,
    }
  }

  #makeUploader(head: TXID | undefined): Uploader {
    const { lease, limits } = this.#parts
    const { captureState, emit, onUploaded, onFenced, onLost, onLate } = this.#hooks
    return new Uploader(
      {
        writer: this.#writer,
        judge: (level, range, signal) => judgeCollision(this.#o.replica, lease, level, range, signal),
        captureState,
        emit,
        slots: limits?.uploads,
        memory: limits?.uploadBytes,
        failpoint: this.#o.failpoint,
        onUploaded: (file, bytes) => {
          onUploaded(file.maxTXID)
          this.#maintenance?.uploaded(file, bytes)
        },
        onFenced: (error) => {
          void this.#maintenance?.stopVerifying()
          onFenced(error)
        },
        onLost,
        onLate,
      },
      head,
    )
  }
}
