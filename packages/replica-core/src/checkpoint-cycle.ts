import { setTimeout as sleep } from 'node:timers/promises'
import type { WALIndexHeader } from '@sqlstream/wal'
import type { PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { Serial } from './serial.ts'
import type { Checkpointer, CheckpointResult } from './sqlite/checkpointer.ts'
import type { DatabaseFiles } from './sqlite/database-files.ts'
import type { Holder } from './sqlite/holder.ts'
import type { WriteBarrier } from './sqlite/write-barrier.ts'

/** A tail longer than this is copied without the barrier once more, so that the barrier stays short. */
const LONG_TAIL_FRAMES = 1500
const UNBLOCKED_ROUNDS = 4
/** SQLite's default of `PRAGMA wal_autocheckpoint`. */
const AUTOCHECKPOINT_FRAMES = 1000
/** For a message to the worker and a lock. */
const HEAD_START_MS = 1
const HIGHEST_THRESHOLD = 10_000
/** A WAL that grew past this many bytes during a cycle wants the next one to begin earlier. */
const LARGE_WAL_BYTES = 48 << 20
/** While a WAL larger than this (and than two thresholds) is copied, its writers are slowed down. */
const SLOW_DOWN_BYTES = 32 << 20
/** So long they may write between two barriers then. */
const GAP_MS = 2
const LOOK_MS = 10

/** What a cycle works with. */
export interface CheckpointContext {
  readonly files: DatabaseFiles
  readonly holder: Holder
  readonly barrier: WriteBarrier
  readonly checkpointer: Checkpointer
  readonly serial: Serial
  /** Captures everything visible; called inside `serial`. */
  readonly capture: () => Promise<void>
  readonly emit: PrimaryListener
  readonly failpoint?: FailpointHook | undefined
  readonly pageSize: number
  /** Frames from which on the WAL of a quiet database is checkpointed. */
  readonly thresholdFrames: number
}

/**
 * Takes over checkpointing: copies frames into the database file with PASSIVE checkpoints and lets
 * the application restart the WAL only when every frame of it is captured and durable. The steps
 * and why no frame can be lost between them: SPEC.md, "Checkpoint cycle".
 */
export class CheckpointCycle {
  readonly #c: CheckpointContext
  #threshold: number
  #running: Promise<void> | undefined
  #stopped = false
  /** The last checkpoint copied nothing, say because of a long read: slowing writers down would bring nothing. */
  #blocked = false
  #barrierMs = 0
  #windowStart = performance.now()

  constructor(context: CheckpointContext) {
    this.#c = context
    this.#threshold = context.thresholdFrames
  }

  get running(): boolean {
    return this.#running !== undefined
  }

  /** Frames from which on the next cycle begins. Grows while barriers take much of the time. */
  get thresholdFrames(): number {
    return this.#threshold
  }

  /** Resolves when the cycle that runs now, if any, is over. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** The database is detached, or its WAL is free for a while: a cycle that runs now touches nothing any more. */
  stop(): void {
    this.#stopped = true
  }

  /** After a {@link stop}, once the cycle that was stopped is over. */
  start(): void {
    this.#stopped = false
  }

  /**
   * Runs one cycle, or joins the one that runs.
   * @param withBarrier whether writers may be kept out for the tail; without it a cycle completes only when they pause
   */
  run(withBarrier: boolean): Promise<void> {
    this.#running ??= this.#cycle(withBarrier).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #cycle(withBarrier: boolean): Promise<void> {
    const { files, holder, serial, capture } = this.#c
    const before = files.index().backfill
    let complete = false
    let barrierMs: number | undefined
    for (let round = 1; round <= UNBLOCKED_ROUNDS; round++) {
      const { backfill } = files.index()
      const passive = await this.#moveAndCopy()
      if (passive === undefined) return
      await this.#slowingDown(Promise.all([passive.running, this.#unlessStopped(capture)]))
      if (this.#stopped) return
      this.#blocked = files.index().backfill === backfill
      this.#c.failpoint?.('checkpoint:after')
      if (tail(files.index()) <= LONG_TAIL_FRAMES) break
    }
    await serial.run(async () => {
      if (this.#stopped) return
      if (tail(files.index()) === 0) {
        // Everything is in the database file: the holder captures and goes to slot 0.
        await holder.move(capture)
        complete = tail(files.index()) === 0
      } else if (withBarrier) {
        barrierMs = await this.#underBarrier()
        complete = barrierMs !== undefined && tail(files.index()) === 0
      }
    })
    if (this.#stopped) return
    this.#adapt(barrierMs ?? 0, files.index().mxFrame)
    const frames = Math.max(0, files.index().backfill - before)
    this.#c.emit({
      type: 'checkpointed',
      mode: 'passive',
      frames,
      ...(barrierMs !== undefined && { barrierMs }),
      complete,
    })
  }

  /**
   * Moves the holder and starts to copy what that allows. Past the application's autocheckpoint threshold its
   * next commit would try the same, and the stall would be its own; so it is kept out until the worker
   * has the checkpoint lock.
   */
  async #moveAndCopy(): Promise<{ running: Promise<CheckpointResult> } | undefined> {
    const { files, holder, barrier, capture } = this.#c
    let running: Promise<CheckpointResult> | undefined
    const moveAndStart = async (): Promise<void> => {
      await holder.move(capture)
      this.#c.failpoint?.('checkpoint:before')
      running = this.#passive()
      // Its failure is met where it is awaited.
      running.catch(() => undefined)
    }
    if (this.#isLarge()) {
      await this.#slowingDown(this.#unlessStopped(moveAndStart))
      return running && { running }
    }
    await this.#unlessStopped(async () => {
      if (files.index().mxFrame >= AUTOCHECKPOINT_FRAMES) {
        await barrier.hold(async () => {
          await moveAndStart()
          await sleep(HEAD_START_MS)
        })
      }
      if (running === undefined) await moveAndStart()
    })
    return running && { running }
  }

  /**
   * Waits for work on the checkpoint. While the WAL is large meanwhile, writers are kept out most of the
   * time, never longer than a barrier may at a time: else a slow disk makes each round longer than the one before.
   */
  async #slowingDown<T>(work: Promise<T>): Promise<T> {
    let ended = false
    // Its failure is met where it is returned.
    const end = work
      .then(() => undefined)
      .catch(() => undefined)
      .finally(() => {
        ended = true
      })
    while (!ended) {
      const large = this.#isLarge()
      // It only helps: who cannot raise it waits like the others.
      if (large) await this.#c.barrier.hold(() => end).catch(() => undefined)
      if (!ended) await Promise.race([end, sleep(large ? GAP_MS : LOOK_MS)])
    }
    return work
  }

  #isLarge(): boolean {
    const { files, pageSize, thresholdFrames } = this.#c
    if (this.#stopped) return false
    const large = files.index().mxFrame > Math.max(SLOW_DOWN_BYTES / pageSize, thresholdFrames * 2)
    return large && !this.#blocked
  }

  #unlessStopped(task: () => Promise<void>): Promise<void> {
    return this.#c.serial.run(async () => {
      if (!this.#stopped) await task()
    })
  }

  #passive(): Promise<CheckpointResult> {
    return this.#c.checkpointer.run(this.#c.files.path, 'passive')
  }

  /**
   * Captures and copies the tail, both at once, while no one can commit. When the barrier's time is
   * over before that is done, writers are let in and the cycle just does not complete: the guards and
   * the holder's mark forbid a restart all the same.
   *
   * @returns how long writers were kept out, undefined when a writer was in the way
   */
  #underBarrier(): Promise<number | undefined> {
    const { holder, barrier, capture } = this.#c
    return barrier.hold(async () => {
      this.#c.failpoint?.('barrier:held')
      await holder.move(capture)
      await Promise.all([this.#passive(), capture()])
      await holder.move(capture)
    })
  }

  /** Barriers may take 3 % of the time of a busy database; a quiet one gets its small WAL back. */
  #adapt(barrierMs: number, frames: number): void {
    if (frames * this.#c.pageSize > LARGE_WAL_BYTES) {
      this.#threshold = Math.max(this.#threshold / 2, this.#c.thresholdFrames)
      return
    }
    this.#barrierMs += barrierMs
    const now = performance.now()
    const elapsed = now - this.#windowStart
    if (elapsed < 500) return
    const share = this.#barrierMs / elapsed
    if (share > 0.03) this.#threshold = Math.min(this.#threshold * 2, HIGHEST_THRESHOLD)
    else if (share < 0.005) this.#threshold = Math.max(this.#threshold / 2, this.#c.thresholdFrames)
    this.#barrierMs = 0
    this.#windowStart = now
  }
}

function tail(index: WALIndexHeader): number {
  return index.mxFrame - Math.min(index.backfill, index.mxFrame)
}
