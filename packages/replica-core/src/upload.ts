import { isLTXError, type TXID, type TXIDRange } from '@sqlstream/ltx'
import {
  isReplicaError,
  type Level,
  type LTXFile,
  type ReplicaWriter,
  SNAPSHOT_LEVEL,
} from '@sqlstream/replica'
import { type BlobBody, isStorageError, type Slots } from '@sqlstream/storage'
import type { LiveSnapshot } from './capture/context.ts'
import { isPrimaryError, PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import { mergeSpooled } from './merge-spooled.ts'
import type { BatchLimits } from './plan-batch.ts'
import type { CaptureState } from './state/capture-state.ts'
import { readSpoolHeader, type SpoolFile } from './state/spool.ts'
import { type Pending, rangeOf, type Upload, UploadQueue } from './upload-queue.ts'
import { UploadWaiters } from './upload-waiters.ts'

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 30_000

/** What an uploader works with. */
export interface UploaderContext {
  readonly writer: ReplicaWriter
  /** Whose files are uploaded. */
  readonly captureState: Pick<CaptureState, 'spool' | 'synced' | 'acknowledge'>
  readonly emit: PrimaryListener
  readonly failpoint?: FailpointHook | undefined
  /** When what waits is merged. Default: see {@link BatchLimits}. */
  readonly batches?: BatchLimits | undefined
  /** Shared with other databases. Default: no limit. */
  readonly slots?: Slots | undefined
  /** Whose file lies where ours was to go. */
  readonly judge: (level: Level, range: TXIDRange, signal: AbortSignal) => Promise<'late' | 'foreign'>
  /** Called after each file, with its bytes if they were read at once. */
  readonly onUploaded?: ((file: LTXFile, bytes?: Uint8Array) => void) | undefined
  /** Called once, when another writer was met. */
  readonly onFenced: (error: Error) => void
  /**
   * Called when a former writer's file lies where ours was to go, although the lease is ours: discard the queue, which waits for
   * that, and take a snapshot above it.
   */
  readonly onLate: (error: Error) => void
  /** Called when a spooled file is gone or damaged, after the queue was dropped: take a snapshot. */
  readonly onLost: (error: Error) => void
}

/**
 * Puts files into the replica one after the other, oldest first, so that a reader of the replica
 * never meets a hole. A file leaves the spool when the store has acknowledged it. Failures are
 * repeated for ever with growing pauses; only another writer's object ends it.
 */
export class Uploader {
  readonly #c: UploaderContext
  readonly #queue: UploadQueue
  readonly #waiters = new UploadWaiters()
  readonly #stop = new AbortController()
  #uploaded: TXID | undefined
  #running: Promise<void> | undefined
  #fenced: Error | undefined
  /** What the next file would follow is not in the replica and never will be: only a snapshot may be put. */
  #held = false
  #lastError: Error | undefined
  #wake: (() => void) | undefined

  constructor(context: UploaderContext, uploaded: TXID | undefined) {
    this.#c = context
    this.#queue = new UploadQueue(context.batches)
    this.#uploaded = uploaded
  }

  /** Everything up to here is in the replica. */
  get uploaded(): TXID | undefined {
    return this.#uploaded
  }

  get pendingFiles(): number {
    return this.#queue.count
  }

  get pendingBytes(): number {
    return this.#queue.bytes
  }

  /** Why the last attempt failed; undefined once one succeeded. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  /** Whether it waits for a snapshot that nobody has enqueued yet. */
  get held(): boolean {
    return this.#held
  }

  enqueue(pending: Pending): void {
    if (pending.kind === 'snapshot') this.#held = false
    this.#queue.push(pending)
    this.#start()
  }

  /** Drops what is queued, and its files. A snapshot has to stand for all of it: until there is one nothing more is put (P2). */
  discard(): void {
    this.#held = true
    for (const upload of this.#queue.drop()) {
      if (upload.kind === 'files') this.#remove(upload.files)
      else upload.done()
    }
  }

  /** Cuts the pause after a failure short. */
  retryNow(): void {
    this.#wake?.()
  }

  /** Resolves when everything up to `txid` is in the replica. @throws PrimaryError `fenced`, `closed` */
  async waitFor(txid: TXID, signal?: AbortSignal): Promise<void> {
    if (this.#uploaded !== undefined && this.#uploaded >= txid) return
    if (this.#fenced !== undefined) throw this.#fenced
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason
    signal?.throwIfAborted()
    this.retryNow()
    await this.#waiters.wait(txid, signal)
  }

  /** Stops at once, in the middle of an upload if need be. What is queued stays in the spool. */
  async stop(): Promise<void> {
    this.#stop.abort(new PrimaryError('closed', 'the replicator is closed'))
    this.#wake?.()
    await this.#running
    this.#settle(this.#fenced ?? new PrimaryError('closed', 'the replicator is closed'))
  }

  #start(): void {
    if (this.#running !== undefined || this.#queue.isEmpty) return
    if (this.#fenced !== undefined || this.#held || this.#stop.signal.aborted) return
    this.#running = this.#drain().finally(() => {
      this.#running = undefined
      // Something may have been queued since the loop looked last.
      this.#start()
    })
  }

  async #drain(): Promise<void> {
    let delay = FIRST_RETRY_MS
    // What is queued in the same turn is looked at together.
    await Promise.resolve()
    while (!this.#stop.signal.aborted && !this.#held) {
      const upload = this.#queue.next()
      if (upload === undefined) return
      try {
        const put = (): Promise<void> => this.#put(upload)
        await (this.#c.slots?.run(put, { signal: this.#stop.signal }) ?? put())
        delay = FIRST_RETRY_MS
        this.#lastError = undefined
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#lastError = error as Error
        if (isReplicaError(error, 'fenced')) {
          const whose = await this.#judge(upload).catch(() => undefined)
          if (whose === 'foreign') this.#fence(error)
          if (whose === 'late') {
            this.#held = true
            this.#c.onLate(error)
          }
          if (whose !== undefined) return
        }
        // Dropped meanwhile: nobody needs it any more.
        if (!this.#queue.isCurrent(upload)) continue
        if (upload.kind === 'snapshot' && isPrimaryError(error)) {
          this.#queue.done(upload)
          this.discard()
          upload.broken(error)
          return
        }
        if (upload.kind === 'files' && isLost(error)) {
          this.discard()
          this.#c.onLost(error as Error)
          return
        }
        this.#c.emit({ type: 'failed', operation: 'upload', error: error as Error, retryInMs: delay })
        // Who waits learns what waiting will not cure; the upload itself is tried for ever.
        if (isStorageError(error) && !error.transient) this.#settle(error)
        await this.#pause(delay)
        delay = Math.min(delay * 2, LAST_RETRY_MS)
      }
    }
  }

  #judge(upload: Upload): Promise<'late' | 'foreign'> {
    const { level, range } =
      upload.kind === 'files'
        ? { level: 0, range: rangeOf(upload.files) }
        : { level: SNAPSHOT_LEVEL, range: upload.snapshot.header }
    return this.#c.judge(level, range, this.#stop.signal)
  }

  async #put(upload: Upload): Promise<void> {
    const started = performance.now()
    const { signal } = this.#stop
    this.#c.failpoint?.('put:before')
    let file: LTXFile
    let body: BlobBody | undefined
    if (upload.kind === 'files') {
      await this.#c.captureState.synced()
      const timestamp = new Date(readSpoolHeader(upload.files.at(-1) as SpoolFile).timestamp)
      body = await mergeSpooled(upload.files, signal)
      file = await this.#c.writer.put(0, rangeOf(upload.files), body, { timestamp, signal })
    } else {
      file = await this.#putSnapshot(upload.snapshot, signal)
    }
    this.#c.failpoint?.('put:after')
    this.#uploaded = file.maxTXID
    const dropped = !this.#queue.isCurrent(upload)
    this.#queue.done(upload)
    const report = { file, bytes: file.size, milliseconds: performance.now() - started }
    this.#c.onUploaded?.(file, body instanceof Uint8Array ? body : undefined)
    if (upload.kind === 'files') {
      this.#remove(upload.files)
      this.#c.captureState.acknowledge(file.maxTXID)
      this.#c.emit({ type: 'uploaded', ...report, captures: upload.files.length })
    } else {
      if (!dropped) upload.done()
      this.#c.emit({ type: 'snapshotted', ...report })
    }
    this.#c.failpoint?.('put:after-ack')
    this.#settle()
  }

  #remove(files: readonly SpoolFile[]): void {
    for (const file of files) this.#c.captureState.spool.remove(file)
  }

  async #putSnapshot(snapshot: LiveSnapshot, signal: AbortSignal): Promise<LTXFile> {
    this.#c.failpoint?.('snapshot:before')
    const { header, pages: totalPages } = snapshot
    let reported = performance.now()
    const onPages = (pages: number): void => {
      if (pages * 2 > totalPages) this.#c.failpoint?.('snapshot:middle')
      const now = performance.now()
      if (now - reported < 500) return
      reported = now
      this.#c.emit({ type: 'snapshot-progress', pages, totalPages })
    }
    await this.#c.writer.lease.announceBase(header.maxTXID, { signal })
    const body = { open: () => snapshot.body({ signal, onPages }) }
    const file = await this.#c.writer.put(SNAPSHOT_LEVEL, header, body, {
      timestamp: new Date(header.timestamp),
      signal,
    })
    this.#c.failpoint?.('snapshot:after')
    return file
  }

  #fence(cause: Error): void {
    this.#fenced = new PrimaryError('fenced', `another writer uses this replica: ${cause.message}`, {
      cause,
      hint: 'Stop one of the two. What was captured here but not uploaded stays in the spool folder.',
    })
    this.#settle(this.#fenced)
    this.#c.onFenced(this.#fenced)
  }

  #settle(error?: Error): void {
    this.#waiters.settle(this.#uploaded, error)
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    }).then(() => {
      this.#wake = undefined
    })
  }
}

/** The spool is ours alone; a file that is missing or no LTX file will not come back by trying again. */
function isLost(error: unknown): boolean {
  return isLTXError(error) || (error as NodeJS.ErrnoException).code === 'ENOENT'
}
