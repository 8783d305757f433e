import type { WALIndexHeader } from '@sqlstream/wal'
import type { FailpointHook } from '../failpoint.ts'
import { ReadHold } from './connection.ts'
import type { DatabaseFiles } from './database-files.ts'

/**
 * The held read transaction that keeps others from restarting the WAL before it is captured
 * (SPEC.md, C1-C4), and the guard that stands in for it while it moves.
 */
export class Holder {
  #holder: ReadHold
  #guard: ReadHold
  readonly #files: DatabaseFiles
  readonly #failpoint: FailpointHook | undefined
  #restartIsCaptured = false
  #parked = false
  #wantsPin = false
  #observe: () => void = () => undefined
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

  /**
   * True when the holder is known to sit in slot 0. While it may still sit above, the application's own
   * RESTART and TRUNCATE wait for it.
   */
  get parked(): boolean {
    return this.#parked
  }

  /** Frames that a checkpoint may copy while the holder stays where it is; an upper bound. */
  get mark(): number {
    return this.#mark
  }

  /** @param observe looks at the wal-index and calls {@link restarted} for a new generation */
  observeWith(observe: () => void): void {
    this.#observe = observe
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
      // The guard takes a slot with the newest mark, and the holder joins it there: see #stayWithGuard.
      this.#guard.begin()
      try {
        this.#holder.renew()
      } finally {
        this.#guard.end()
      }
      const after = this.#files.index()
      if (
        before.change === after.change &&
        sameGeneration(before, after) &&
        before.mxFrame === after.mxFrame
      ) {
        this.#restartIsCaptured = false
        this.#parked = false
        this.#wantsPin = false
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
    this.#parked = backfilled
  }

  /**
   * Says that frames of a new generation were seen. Slot 0, where the holder sits, forbids their
   * backfill, so there is no further restart before it moves.
   */
  restarted(): void {
    this.#restartIsCaptured = false
    this.#parked = false
    this.#wantsPin = true
  }

  /** True when a new generation grows while the holder still sits in slot 0: see {@link pin}. */
  get wantsPin(): boolean {
    return this.#wantsPin
  }

  /**
   * Moves the holder to the newest commit without a moment in which the WAL could restart
   * uncaptured: the guard begins, the holder begins anew, the guard ends.
   *
   * A capture is needed only when one of the two may sit in slot 0, that is, when everything may be in
   * the database file: before the holder leaves if that is the guard, before the guard leaves if that
   * is the holder. Else the other one forbids a restart meanwhile, and the move takes 30 us.
   */
  async move(capture: () => Promise<void>): Promise<void> {
    const before = this.#files.index()
    this.#guard.begin()
    try {
      const guarded = this.#files.index()
      // What is copied now was not more when the guard began, and there were at least as many frames.
      const guardForbids = sameGeneration(before, guarded) && guarded.backfill < before.mxFrame
      // A restart that happened while it was excused has to be noted before the excuse ends.
      if (guardForbids) this.#observe()
      else await capture()
      this.#failpoint?.('holder:between')
      this.#renew(guarded)
      if (guardForbids && this.#mark !== guarded.mxFrame) {
        this.#stayWithGuard(guarded.mxFrame)
        return
      }
      if (guardForbids && this.#restartIsCaptured) {
        // Excused only once it is captured: after a capture that failed, a restart would lose frames.
        this.#restartIsCaptured = false
        await capture()
        this.#restartIsCaptured = true
      }
    } finally {
      this.#guard.end()
    }
  }

  /**
   * Something was committed during the move. Then the holder may have come back to the very slot that it
   * left, with a newer mark. A strong checkpoint of the application that waits for that slot does not look at the
   * mark again: it would wait until its busy timeout is over, and all writers with it. The guard is
   * in another place and forbids restarts just as well, so it becomes the holder until the next move.
   */
  #stayWithGuard(mark: number): void {
    const left = this.#holder
    this.#holder = this.#guard
    this.#guard = left
    this.#mark = mark
    this.#restartIsCaptured = false
    this.#parked = false
  }

  /** Forbids nothing any more, until {@link attachStable}: a restart in between is not excused. */
  release(): void {
    this.#guard.end()
    this.#holder.end()
    this.#restartIsCaptured = false
    this.#parked = false
    this.#wantsPin = false
    this.#mark = 0
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
    this.#parked = false
    this.#wantsPin = false
    this.#holder.renew()
    const now = this.#files.index()
    this.#mark = now.mxFrame
    const unchanged = sameGeneration(captured, now) && captured.change === now.change
    this.#parked = unchanged && captured.backfill >= now.mxFrame
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
