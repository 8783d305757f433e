import type { CheckpointReply, CheckpointRequest } from './checkpoint-worker.ts'
import { DatabaseThread } from './database-thread.ts'

/** The modes of `PRAGMA wal_checkpoint`. */
export type CheckpointMode = 'passive' | 'full' | 'restart' | 'truncate'

/** What a checkpoint did, in frames. */
export interface CheckpointResult {
  readonly busy: boolean
  readonly log: number
  readonly checkpointed: number
  /** How long writers were kept out at most, ms: 0 for a passive one. */
  readonly heldMs: number
}

/**
 * Runs checkpoints in a worker thread, so that a long one (64 MB: 0.2 s) does not delay capture. One thread serves many databases.
 * SQLite's lock table is shared by the threads of a process, so this disturbs no lock of ours.
 */
export class Checkpointer {
  readonly #thread = new DatabaseThread<CheckpointRequest, CheckpointReply>({
    module: 'checkpoint-worker',
    name: 'the checkpoint worker',
  })

  /** @throws Error when SQLite refuses, or the worker dies; the next call starts another one */
  async run(path: string, mode: CheckpointMode): Promise<CheckpointResult> {
    const sqlMode = mode.toUpperCase() as CheckpointRequest['mode']
    const reply = await this.#thread.ask(path, this.#request(path, sqlMode))
    assertDone(reply)
    const { busy, log, checkpointed, milliseconds } = reply
    return { busy: busy !== 0, log, checkpointed, heldMs: mode === 'passive' ? 0 : milliseconds }
  }

  /** Lets go of a database. Must come before the last read transaction of this process on it ends. */
  async release(path: string): Promise<void> {
    assertDone(await this.#thread.release(path, this.#request(path, 'close')))
  }

  /** Ends the thread. Every database must have been released. */
  end(): Promise<void> {
    return this.#thread.end()
  }

  #request(path: string, mode: CheckpointRequest['mode']): CheckpointRequest {
    return { id: this.#thread.number(), path, mode }
  }
}

function assertDone(reply: CheckpointReply | undefined): void {
  if (reply?.error !== undefined) throw new Error(`checkpoint failed: ${reply.error}`)
}
