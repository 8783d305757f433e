import { type TXID, toTXID } from '@sqlstream/ltx'
import type { Attachment } from './attachment.ts'
import type { CapturedFile, LiveSnapshot } from './capture/context.ts'
import { PrimaryError } from './errors.ts'
import type { Lifecycle } from './lifecycle.ts'
import { type SnapshotReason, TAKEOVER_GAP } from './plan-start.ts'
import type { Serial } from './serial.ts'
import type { CaptureState } from './state/capture-state.ts'
import type { DatabaseState, Owed } from './state/owed.ts'
import type { Position } from './state/position.ts'
import type { Uploader } from './upload.ts'

/** What rebuilding works with. */
export interface RebuildContext {
  readonly lifecycle: Lifecycle
  readonly captureState: CaptureState
  /** Folder for what was captured and is no part of the replica's history. */
  readonly keep: string
  readonly serial: Serial
  readonly attachment: () => Attachment
  readonly uploader: () => Uploader
  /** Takes a captured file, made since the instant `started`. */
  readonly accept: (captured: CapturedFile, started: number) => void
  /** A snapshot that nobody waits for has failed. */
  readonly onFailure: (error: Error) => void
  readonly signal?: AbortSignal | undefined
}

/** Reasons that mean: the replica's newest state is not what is in the spool. */
const ANOTHER_HISTORY: ReadonlySet<SnapshotReason> = new Set([
  'histories-differ',
  'spool-does-not-connect',
  'behind',
  'restored-to-older',
  'late-writer',
])

/**
 * The two answers when the WAL alone does not say what was committed: compare every page with the
 * ledger, or take a whole image. Inside `serial`.
 */
export class Rebuild {
  readonly #c: RebuildContext
  /** Snapshots that read the live database. */
  #reading = 0
  #bases = 0

  constructor(context: RebuildContext) {
    this.#c = context
  }

  /** How many snapshots were begun. */
  get bases(): number {
    return this.#bases
  }

  /** True while a snapshot reads the live database: the holder must not move. */
  get pinned(): boolean {
    return this.#reading > 0
  }

  /** Uploads the pages that differ from the ledger. @throws PrimaryError `busy` while pinned */
  async resync(reason: string): Promise<void> {
    const { lifecycle, captureState } = this.#c
    if (this.pinned) throw new PrimaryError('busy', 'a snapshot reads the database')
    lifecycle.transition('doubt')
    const started = performance.now()
    const captured = await this.#c.attachment().capture.resync(this.#c.signal)
    if (captured !== undefined) this.#c.accept(captured, started)
    const { txid, postApplyChecksum } = captureState.position as Position
    lifecycle.emit({
      type: 'resynced',
      pos: { txid, postApplyChecksum },
      changedPages: captured?.pages ?? 0,
      reason,
      milliseconds: performance.now() - started,
    })
  }

  /**
   * Uploads the whole database, in place of everything that waits for its upload.
   * @param txid default: the one after everything that is known
   */
  async snapshot(reason: SnapshotReason, txid: TXID = this.#nextTXID()): Promise<void> {
    const { lifecycle, signal } = this.#c
    const { spool } = this.#c.captureState
    const uploader = this.#c.uploader()
    lifecycle.transition('no-base')
    if (ANOTHER_HISTORY.has(reason)) this.#keepTail()
    uploader.discard()
    for (const file of spool.list()) spool.remove(file)
    lifecycle.emit({ type: 'snapshot-started', txid, reason })
    this.#bases++
    this.#reading++
    try {
      const snapshot = await this.#c.attachment().capture.snapshot(txid, { signal })
      this.#send(snapshot, reason)
    } catch (error) {
      this.#reading--
      throw error
    }
    lifecycle.transition('caught-up')
  }

  /**
   * Makes good what is owed: what leads from a state of the replica to the present one is sent from the database.
   * @param note called with what is owed from now on, before anything is changed
   */
  async makeGood(owed: Owed, base: DatabaseState, note: (owed: Owed) => void): Promise<void> {
    const { lifecycle, captureState, signal } = this.#c
    lifecycle.transition('doubt')
    const started = performance.now()
    this.#reading++
    try {
      const image = await this.#c.attachment().capture.difference(owed, base, note, signal)
      this.#send(image, 'spool-lost')
      const { txid, postApplyChecksum } = captureState.position as Position
      lifecycle.emit({
        type: 'resynced',
        pos: { txid, postApplyChecksum },
        changedPages: image.pages,
        reason: 'captures were given up',
        milliseconds: performance.now() - started,
      })
    } catch (error) {
      this.#reading--
      throw error
    }
  }

  /** @param reason of the snapshot, should the image turn out to be unreadable */
  #send(snapshot: LiveSnapshot, reason: SnapshotReason): void {
    this.#c.uploader().enqueue({
      kind: 'snapshot',
      snapshot,
      done: () => {
        this.#reading--
      },
      broken: (error) => {
        this.#reading--
        this.startOver(error, reason)
      },
    })
  }

  /** What was to be uploaded cannot be read any more: a new image stands for all of it. */
  startOver(error: Error, reason: SnapshotReason): void {
    this.#c.lifecycle.emit({ type: 'failed', operation: 'snapshot', error })
    // Behind a late writer's file there may come more of them.
    const gap = reason === 'late-writer' ? TAKEOVER_GAP : 0n
    const snapshot = async (): Promise<void> => {
      // What was given up meanwhile is looked at anew when the replica answers.
      if (this.#c.lifecycle.state !== 'suspended') await this.snapshot(reason, toTXID(this.#nextTXID() + gap))
    }
    this.#c.serial.run(snapshot).catch(this.#c.onFailure)
  }

  /** What was captured here while another writer had the replica may be wanted: as files, since it is no part of the history there. */
  #keepTail(): void {
    const { captureState, lifecycle, keep } = this.#c
    const kept = captureState.spool.keepAll(keep)
    if (kept !== undefined) lifecycle.emit({ type: 'tail-kept', ...kept })
  }

  #nextTXID(): TXID {
    const captured = this.#c.captureState.position?.txid ?? 0n
    const uploaded = this.#c.uploader().uploaded ?? 0n
    return toTXID((captured > uploaded ? captured : uploaded) + 1n)
  }
}
