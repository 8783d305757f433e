import type { WALIndexHeader } from '@sqlstream/wal'
import type { FailpointHook } from '../failpoint.ts'
import { ReadHold } from './connection.ts'
import type { DatabaseFiles } from './database-files.ts'

/** Read transactions of ours at a time, the holder's among them: SQLite has four slots above 0 for all. */
const MOST_HOLDS = 3

/**
 * The held read transaction that keeps others from restarting the WAL before it is captured
 * (SPEC.md, C1-C4), and the guards that overlap it while it moves.
 */
export class Holder {
  #holder: ReadHold
  /** The holder's, and those that guard its moves: the third is opened when it is first needed. */
  readonly #holds: ReadHold[]
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
    this.#holds = [this.#holder, new ReadHold(files.path)]
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

  /**
   * Frames that a checkpoint may copy while the holder stays where it is; a lower bound. A strong checkpoint of the application
   * that begins with more of them waits for the holder.
   */
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
   * the holder's snapshot. Undefined when a busy writer never leaves it alone that long: the holder is where it was.
   */
  attachStable(attempts = 200): WALIndexHeader | undefined {
    try {
      for (let i = 0; i < attempts; i++) {
        if (!this.#hasRoom()) this.#endGuards()
        const before = this.#files.index()
        const next = this.#begin()
        const after = this.#files.index()
        if (!isSameState(before, after)) continue
        this.#holder = next
        this.#restartIsCaptured = false
        this.#parked = false
        this.#wantsPin = false
        this.#mark = after.mxFrame
        return after
      }
      return undefined
    } finally {
      this.#endGuards()
    }
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
    // It counts frames of the generation before.
    this.#mark = 0
  }

  /** True when a new generation grows while the holder still sits in slot 0: see {@link pin}. */
  get wantsPin(): boolean {
    return this.#wantsPin
  }

  /**
   * Moves the holder to the newest commit without a moment in which the WAL could restart
   * uncaptured: a guard begins, and when it is found to be on the newest commit it becomes the holder, and the old one ends.
   *
   * A capture is needed only when the guard may sit in slot 0, that is, when everything may be in the database file. Else it
   * forbids a restart, and the move takes 30 us.
   *
   * A strong checkpoint of the application looks at the slots one after the other and waits for the first with an older mark, until it is
   * free; it does not look at the mark again. If we left that slot and came back to it with a newer mark, it would wait until its
   * busy timeout is over, and all writers with it. So what was committed during the move is met by a further guard, in
   * another place, before any place is left.
   */
  async move(capture: () => Promise<void>): Promise<void> {
    try {
      for (;;) {
        const before = this.#files.index()
        const guard = this.#begin()
        const begun = this.#files.index()
        // What is copied now was not more when the guard began, and there were at least as many frames.
        const forbids = sameGeneration(before, begun) && begun.backfill < before.mxFrame
        // A restart that happened while it was excused has to be noted before the excuse ends.
        if (forbids) this.#observe()
        else await capture()
        this.#failpoint?.('holder:between')
        const isNewest = isSameState(before, this.#files.index())
        // Who commits all the time is in no checkpoint meanwhile.
        if (!isNewest && this.#hasRoom()) continue
        this.#holder = guard
        this.#restartIsCaptured = !forbids
        this.#parked = isNewest && before.backfill >= before.mxFrame
        this.#wantsPin = false
        this.#mark = forbids || isNewest ? before.mxFrame : 0
        return
      }
    } finally {
      this.#endGuards()
    }
  }

  /**
   * Whether a strong checkpoint of the application may wait for a slot below the holder's that a reader has just left, and which a move might
   * take. It does as long as one has an older mark: it gets there in order, gives each the newest mark or none, and waits for the
   * holder only then.
   */
  mayBeAwaitedBelow({ readMarks, mxFrame }: WALIndexHeader): boolean {
    // In slot 0, which it looks at last, the holder is in everybody's way.
    if (this.#restartIsCaptured) return false
    const own = readMarks.lastIndexOf(this.#mark)
    return readMarks.some((mark, slot) => slot > 0 && slot < own && mark < mxFrame)
  }

  /** Forbids nothing any more, until {@link attachStable}: a restart in between is not excused. */
  release(): void {
    for (const hold of this.#holds) hold.end()
    this.#restartIsCaptured = false
    this.#parked = false
    this.#wantsPin = false
    this.#mark = 0
  }

  /** Ends the transactions and closes the connections. */
  close(): void {
    for (const hold of this.#holds) {
      hold.end()
      hold.close()
    }
  }

  /** Begins a transaction on the newest commit; while the others last, it cannot be in the slot of an older one. */
  #begin(): ReadHold {
    let hold = this.#holds.find(({ held }) => !held)
    if (hold === undefined) {
      hold = new ReadHold(this.#files.path)
      this.#holds.push(hold)
    }
    hold.begin()
    return hold
  }

  #hasRoom(): boolean {
    return this.#holds.filter(({ held }) => held).length < MOST_HOLDS
  }

  #endGuards(): void {
    for (const hold of this.#holds) if (hold !== this.#holder) hold.end()
  }
}

/** Whether two readings of the wal-index belong to the same generation of the WAL. */
export function sameGeneration(a: WALIndexHeader, b: WALIndexHeader): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2
}

/** Whether nothing was committed between two readings. */
function isSameState(a: WALIndexHeader, b: WALIndexHeader): boolean {
  return sameGeneration(a, b) && a.change === b.change && a.mxFrame === b.mxFrame
}
