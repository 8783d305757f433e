import { abortable, isStorageError, pause } from '@sqlstream/storage'
import type { DiskBudget, DiskUser } from './budget/disk-budget.ts'
import { diskUseOf } from './disk-use.ts'
import { GrowingPause } from './growing-pause.ts'
import type { Replication } from './replication.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

/** Sees to it that a database takes no more of the disk than it may, and that it goes on after its captures were given up. */
export class DiskKeeper {
  readonly #replication: Replication
  readonly #budget: DiskBudget
  readonly #user: DiskUser
  readonly #retry = new GrowingPause(FIRST_RETRY_MS, LAST_RETRY_MS)
  /** After images that had to be given up on their way: the application has its WAL meanwhile. */
  readonly #again = new GrowingPause(FIRST_RETRY_MS, LAST_RETRY_MS)
  readonly leave: () => void

  constructor(replication: Replication, disk: DiskBudget, folders: DiskUser['folders']) {
    this.#replication = replication
    this.#budget = disk
    this.#user = {
      folders,
      use: () => diskUseOf(replication),
      giveUp: (reason, space) => {
        if (replication.pinned) this.#again.failed()
        return replication.suspension.begin(reason, space)
      },
    }
    this.leave = disk.join(this.#user)
  }

  /** Gives captures up if the disk asks for it. Never fails: whoever cannot be asked has room. */
  look(): Promise<void> {
    const { suspension, pinned } = this.#replication
    if (suspension.error === undefined && !pinned) this.#again.succeeded()
    return this.#budget.look(this.#user).catch(() => undefined)
  }

  /** To be called when something was written while nothing is captured: keeps the WAL short. Never fails. */
  async relieve(): Promise<undefined> {
    await this.#replication.suspension.relieve().catch(() => undefined)
    return undefined
  }

  /** To be called now and then while nothing is captured: tries to go on, with growing pauses, and keeps the WAL short. */
  async resumeInTime(): Promise<void> {
    await this.relieve()
    if (this.#retry.left > 0 || this.#again.left > 0) return
    await this.#resume().catch(() => undefined)
  }

  /**
   * Resolves when captures go on. Returns whether that began after the call, so that everything that was committed before it is captured.
   * @throws what waiting will not cure; the reason of the signal
   */
  async resumed(signal: AbortSignal | undefined): Promise<boolean> {
    let isNew = false
    while (this.#replication.suspension.error !== undefined) {
      try {
        await pause(this.#again.left, signal)
        isNew = !this.#replication.suspension.isResuming
        await abortable(this.#resume(), signal)
      } catch (error) {
        signal?.throwIfAborted()
        if (this.#replication.state !== 'suspended') throw error
        if (isStorageError(error) && !error.transient) throw error
        await pause(Math.min(this.#retry.left, FIRST_RETRY_MS), signal)
      }
    }
    return isNew
  }

  async #resume(): Promise<void> {
    const { suspension, emit } = this.#replication
    try {
      await suspension.resume()
      this.#retry.succeeded()
    } catch (error) {
      // Others may share the attempt.
      if (this.#retry.left === 0 && this.#replication.state === 'suspended')
        emit({ type: 'failed', operation: 'upload', error: error as Error, retryInMs: this.#retry.failed() })
      throw error
    }
  }
}
