import { isLTXError, type TXID } from '@sqlstream/ltx'
import { isReplicaError, type LTXFile, SNAPSHOT_LEVEL, TXIDWaiters } from '@sqlstream/replica'
import { type BlobBody, isStorageError } from '@sqlstream/storage'
import type { LiveSnapshot } from './capture/context.ts'
import { isPrimaryError, PrimaryError } from './errors.ts'
import { mergeSpooled } from './merge-spooled.ts'
import { Pause } from './pause.ts'
import { readSpoolHeader, type SpoolFile } from './state/spool.ts'
import type { UploaderContext } from './upload-context.ts'
import {
  bytesInMemory,
  type Pending,
  rangeOf,
  rangeOfUpload,
  type Upload,
  UploadQueue,
} from './upload-queue.ts'

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 30_000

/**
 * Puts files into the replica one after the other, oldest first, so that a reader of the replica
 * never meets a hole. A file leaves the spool when the store has acknowledged it. Failures are
 * repeated for ever with growing pauses; only another writer's object ends it.
 */
export class Uploader {
  readonly #c: UploaderContext
  readonly #queue: UploadQueue
  readonly #waiters = new TXIDWaiters()
  readonly #pause = new Pause()
  readonly #stop = new AbortController()
  #uploaded: TXID | undefined
  #running: Promise<void> | undefined
  #fenced: Error | undefined
  /** What the next file would follow is not in the replica and never will be: only a snapshot may be put. */
  #held = false
  #lastError: Error | undefined
  /** Ends the attempt that is under way. */
  #attempt = new AbortController()

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

  /**
   * Drops what is queued and leaves its files alone. Resolves when nothing is under way any more, with what was dropped, oldest first: of
   * the first it is not known whether it will arrive.
   */
  async abandon(): Promise<Upload[]> {
    this.#attempt.abort(new PrimaryError('given-up', 'the upload was given up'))
    this.#pause.end()
    // Whatever it ends with: if it arrived, it is no longer queued.
    const dropped = this.#queue.drop()
    await this.#running
    this.#attempt = new AbortController()
    this.#lastError = undefined
    for (const upload of dropped) if (upload.kind === 'snapshot') upload.done()
    return dropped.filter((upload) => rangeOfUpload(upload).maxTXID > (this.#uploaded ?? 0n))
  }

  /** Says that the replica was found to hold everything up to here: what is enqueued from now on continues that. */
  found(head: TXID): void {
    this.#uploaded = head
    this.#held = false
    this.#settle()
  }

  /** Cuts the pause after a failure short. */
  retryNow(): void {
    this.#pause.end()
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
    const closed = new PrimaryError('closed', 'the replicator is closed')
    this.#stop.abort(closed)
    this.#attempt.abort(closed)
    this.#pause.end()
    await this.#running
    this.#settle(this.#fenced ?? closed)
  }

  /** Ends with the attempt that is under way, and with the uploader. */
  get #signal(): AbortSignal {
    return this.#stop.signal.aborted ? this.#stop.signal : this.#attempt.signal
  }

  #start(): void {
    if (this.#running !== undefined || this.#queue.isEmpty) return
    if (this.#fenced !== undefined || this.#held || this.#signal.aborted) return
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
    while (!this.#signal.aborted && !this.#held) {
      if (this.#queue.isEmpty) return
      let upload: Upload | undefined
      try {
        await this.#inTurn(async () => {
          // Chosen now that it is its turn: what came while it waited goes with it. Unless all of it was dropped.
          upload = this.#held ? undefined : this.#queue.next({ crowded: (this.#c.slots?.waiting ?? 0) > 0 })
          if (upload !== undefined) await this.#withMemory(upload)
        })
        delay = FIRST_RETRY_MS
        this.#lastError = undefined
      } catch (error) {
        if (this.#signal.aborted || upload === undefined) return
        this.#lastError = error as Error
        if (isReplicaError(error, 'fenced')) {
          const whose = await this.#judge(upload).catch(() => undefined)
          if (whose === 'foreign') this.fence(error)
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
        await this.#pause.for(delay)
        delay = Math.min(delay * 2, LAST_RETRY_MS)
      }
    }
  }

  #judge(upload: Upload): Promise<'late' | 'foreign'> {
    const level = upload.kind === 'files' ? 0 : upload.snapshot.level
    return this.#c.judge(level, rangeOfUpload(upload), this.#signal)
  }

  /** With a slot. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    await (this.#c.slots?.run(work, { signal: this.#signal }) ?? work())
  }

  /** With the memory for what is read. */
  async #withMemory(upload: Upload): Promise<void> {
    const put = (): Promise<void> => this.#put(upload)
    await (this.#c.memory?.run(put, { signal: this.#signal, weight: bytesInMemory(upload) }) ?? put())
  }

  async #put(upload: Upload): Promise<void> {
    const started = performance.now()
    const signal = this.#signal
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
      if (upload.snapshot.level === SNAPSHOT_LEVEL) this.#c.emit({ type: 'snapshotted', ...report })
      else this.#c.emit({ type: 'uploaded', ...report, captures: 1 })
    }
    this.#c.failpoint?.('put:after-ack')
    this.#settle()
  }

  #remove(files: readonly SpoolFile[]): void {
    for (const file of files) this.#c.captureState.spool.remove(file)
  }

  async #putSnapshot(snapshot: LiveSnapshot, signal: AbortSignal): Promise<LTXFile> {
    this.#c.failpoint?.('snapshot:before')
    const { level, header, pages: totalPages } = snapshot
    let reported = performance.now()
    const onPages = (pages: number): void => {
      if (pages * 2 > totalPages) this.#c.failpoint?.('snapshot:middle')
      const now = performance.now()
      if (now - reported < 500) return
      reported = now
      this.#c.emit({ type: 'snapshot-progress', pages, totalPages })
    }
    if (level === SNAPSHOT_LEVEL) await this.#c.writer.lease.announceBase(header.maxTXID, { signal })
    const body = { open: () => snapshot.body({ signal, onPages }) }
    const file = await this.#c.writer.put(level, header, body, {
      timestamp: new Date(header.timestamp),
      signal,
    })
    this.#c.failpoint?.('snapshot:after')
    return file
  }

  /** Another writer was met: nothing is uploaded any more. */
  fence(cause: Error): void {
    this.#fenced = new PrimaryError('fenced', `another writer uses this replica: ${cause.message}`, {
      cause,
      hint: 'Stop one of the two. What was captured here but not uploaded stays in the spool folder.',
    })
    this.#settle(this.#fenced)
    this.#c.onFenced(this.#fenced)
  }

  #settle(error?: Error): void {
    if (this.#uploaded !== undefined) this.#waiters.reached(this.#uploaded)
    if (error !== undefined) this.#waiters.end(error)
  }
}

/** The spool is ours alone; a file that is missing or no LTX file will not come back by trying again. */
function isLost(error: unknown): boolean {
  return isLTXError(error) || (error as NodeJS.ErrnoException).code === 'ENOENT'
}
