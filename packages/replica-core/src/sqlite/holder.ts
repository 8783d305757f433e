import type { WALIndexHeader } from '@sqlstream/wal'
import type { FailpointHook } from '../failpoint.ts'
import { ReadHold } from './connection.ts'
import type { DatabaseFiles } from './database-files.ts'

/**
 * The held read transaction that keeps others from restarting the WAL before it is captured
 * (SPEC.md, C1-C4), and the guard that stands in for it while it moves.
 */
export class Holder {
  readonly #holder: ReadHold
  readonly #guard: ReadHold
  readonly #files: DatabaseFiles
  readonly #failpoint: FailpointHook | undefined
  #restartIsCaptured = false
  #mark = 0

  constructor(files: DatabaseFiles, failpoint?: FailpointHook) {
    this.#files = files
    this.#failpoint = failpoint
    this.#holder = new ReadHold(files.path)
    this.#guard = new ReadHold(files.path)
  }

  /**
   * True when the WAL may restart under the holder and everything before the restart is captured:
   * the holder may sit in read slot 0. False: a restart is impossible while our lock lives, so new
   * salts mean that we lost it.
   */
  get restartIsCaptured(): boolean {
    return this.#restartIsCaptured
  }

  /** Frames that a checkpoint may copy while the holder stays where it is; an upper bound. */
  get mark(): number {
    return this.#mark
  }

  /** Takes the first lock. Nothing is known to be captured yet, so a restart is not excused. */
  attach(): void {
    this.#holder.begin()
    this.#restartIsCaptured = false
    this.#mark = 0
  }

  /**
   * Begins anew until the wal-index is the same before and after, so that its `mxFrame` is exactly
   * the holder's snapshot. Undefined when a busy writer never leaves it alone that long.
   */
  attachStable(attempts = 200): WALIndexHeader | undefined {
    for (let i = 0; i < attempts; i++) {
      const before = this.#files.index()
      this.#holder.renew()
      const after = this.#files.index()
      if (
        before.change === after.change &&
        sameGeneration(before, after) &&
        before.mxFrame === after.mxFrame
      ) {
        this.#restartIsCaptured = false
        this.#mark = after.mxFrame
        return after
      }
    }
    return undefined
  }

  /**
   * Says that everything up to the holder's snapshot is captured, after a resync or a snapshot.
   * @param backfilled the snapshot was wholly in the database file, so the holder may sit in slot 0
   */
  captured(backfilled: boolean): void {
    this.#restartIsCaptured = backfilled
  }

  /** Says that frames of a new generation were captured: slot 0 forbids their backfill, so no further restart. */
  restarted(): void {
    this.#restartIsCaptured = false
  }

  /**
   * Moves the holder to the newest commit without a moment in which the WAL could restart
   * uncaptured: guard first, then capture, then the holder, then the guard goes.
   */
  async move(capture: () => Promise<void>): Promise<void> {
    this.#guard.begin()
    try {
      await capture()
      const captured = this.#files.index()
      this.#failpoint?.('holder:between')
      this.#renew(captured)
    } finally {
      this.#guard.end()
    }
  }

  /** Ends the transactions and closes the connections. */
  close(): void {
    this.#guard.end()
    this.#guard.close()
    this.#holder.end()
    this.#holder.close()
  }

  #renew(captured: WALIndexHeader): void {
    // Should the begin fail, there is no lock any more and a restart is no longer excused.
    this.#restartIsCaptured = false
    this.#holder.renew()
    const now = this.#files.index()
    this.#mark = now.mxFrame
    // Slot 0 needs backfill = mxFrame at the begin. Backfill only grows, so if it is behind the
    // captured frames even now, the holder sits in a slot that forbids any restart.
    const inSlotAboveZero = sameGeneration(captured, now) && now.backfill < captured.mxFrame
    this.#restartIsCaptured = !inSlotAboveZero
  }
}

/** Whether two readings of the wal-index belong to the same generation of the WAL. */
export function sameGeneration(a: WALIndexHeader, b: WALIndexHeader): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2
}
