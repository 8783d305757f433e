import type { Attachment } from './attachment.ts'
import type { PrimaryListener } from './events.ts'
import type { Serial } from './serial.ts'

const PARK_AFTER_MS = 2000
/** Past SQLite's default autocheckpoint the holder moves only together with a checkpoint of ours... */
const AUTOCHECKPOINT_FRAMES = 900
/** ...and not more often than this: each move makes the application's next commit copy frames itself. */
const BUSY_REFRESH_MS = 500
/** The file of a WAL that once grew past this, or holds what nobody may ever see, is given back when the database is idle. */
const SHRINK_WAL_BYTES = 64 << 20
const LARGE_WAL_BYTES = 256 << 20

/** What upkeep works with. */
export interface UpkeepContext {
  readonly serial: Serial
  readonly emit: PrimaryListener
  /** The database while it is attached and may be worked on; undefined while a snapshot reads it or captures fail. */
  readonly attachment: () => Attachment | undefined
  /** Captures everything visible; called inside `serial`. */
  readonly capture: () => Promise<void>
  /** A cycle has ended: there may be a new generation. */
  readonly onCycle: () => void
}

/** Keeps the holder where it harms nobody, and the WAL short (SPEC.md, "Locks"). */
export class Upkeep {
  readonly #c: UpkeepContext
  #lastCycle = Number.NEGATIVE_INFINITY
  #lastCommit = performance.now()
  #warnedFrames = 0

  constructor(context: UpkeepContext) {
    this.#c = context
  }

  /** Commits were seen just now. */
  active(): void {
    this.#lastCommit = performance.now()
  }

  /** Whether the WAL is due for a checkpoint. */
  isLong(attachment: Attachment): boolean {
    return attachment.files.index().mxFrame >= attachment.cycle.thresholdFrames
  }

  /**
   * Moves the holder out of slot 0 when a new generation has begun: there, every commit of the
   * application past its autocheckpoint threshold would try to checkpoint in vain.
   */
  async pin(): Promise<void> {
    const attachment = this.#c.attachment()
    if (attachment === undefined || !attachment.holder.wantsPin || attachment.cycle.running) return
    await this.#c.serial.run(async () => {
      if (this.#c.attachment() !== attachment || !attachment.holder.wantsPin) return
      await attachment.holder.move(this.#c.capture)
    })
  }

  /** Starts a cycle when the WAL is long enough. Does not wait for it. */
  checkpointIfLong(): void {
    const attachment = this.#c.attachment()
    if (attachment === undefined || attachment.cycle.running || !this.isLong(attachment)) return
    this.#warnIfLarge(attachment)
    this.#cycle(attachment, true)
  }

  /** To be called every 200 ms. A stale holder stalls the application's own FULL, RESTART and TRUNCATE. */
  async refresh(): Promise<void> {
    const attachment = this.#c.attachment()
    if (attachment === undefined || attachment.cycle.running) return
    const index = attachment.files.index()
    const backfilled = index.backfill >= index.mxFrame
    const idle = performance.now() - this.#lastCommit > PARK_AFTER_MS
    if (backfilled && attachment.holder.parked) {
      if (idle && (attachment.files.walSize() > SHRINK_WAL_BYTES || attachment.capture.end === undefined))
        await this.#shrink(attachment)
      return
    }
    if (!backfilled && idle) {
      this.#cycle(attachment, false)
      return
    }
    if (!backfilled && index.mxFrame === attachment.holder.mark) return
    if (!backfilled && index.mxFrame >= AUTOCHECKPOINT_FRAMES) {
      if (performance.now() - this.#lastCycle >= BUSY_REFRESH_MS) this.#cycle(attachment, false)
      return
    }
    if (!backfilled && attachment.holder.mayBeAwaitedBelow(index)) return
    await this.#move(attachment)
  }

  #move(attachment: Attachment): Promise<void> {
    return this.#c.serial.run(async () => {
      if (this.#c.attachment() !== attachment || attachment.cycle.running) return
      await attachment.holder.move(this.#c.capture)
    })
  }

  /** Everything is in the database file and the holder in slot 0: TRUNCATE cannot lose a frame. */
  async #shrink(attachment: Attachment): Promise<void> {
    await this.#c.serial.run(async () => {
      if (this.#c.attachment() !== attachment) return
      await attachment.checkpoint('truncate')
    })
  }

  #cycle(attachment: Attachment, withBarrier: boolean): void {
    this.#lastCycle = performance.now()
    attachment.cycle.run(withBarrier).then(
      () => this.#c.onCycle(),
      (error: Error) => {
        if (!attachment.closed) this.#c.emit({ type: 'failed', operation: 'checkpoint', error })
      },
    )
  }

  #warnIfLarge(attachment: Attachment): void {
    const frames = attachment.files.index().mxFrame
    const bytes = frames * attachment.pageSize
    if (bytes < LARGE_WAL_BYTES) {
      this.#warnedFrames = 0
      return
    }
    if (frames < this.#warnedFrames * 2) return
    this.#warnedFrames = frames
    this.#c.emit({
      type: 'warning',
      code: 'large-wal',
      message: `the WAL of ${attachment.files.path} has ${Math.round(bytes / 2 ** 20)} MiB`,
      hint: 'A long read transaction of the application keeps it from being restarted; look for one that never ends.',
    })
  }
}
