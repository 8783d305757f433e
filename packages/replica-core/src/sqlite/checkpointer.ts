import { Worker } from 'node:worker_threads'
import type { CheckpointReply, CheckpointRequest } from './checkpoint-worker.ts'

/** The modes of `PRAGMA wal_checkpoint`. */
export type CheckpointMode = 'passive' | 'full' | 'restart' | 'truncate'

/** What a checkpoint did, in frames. */
export interface CheckpointResult {
  readonly busy: boolean
  readonly log: number
  readonly checkpointed: number
}

/**
 * Runs checkpoints in a worker thread, so that a long one (64 MB: 0.2 s) does not delay capture.
 * SQLite's lock table is shared by the threads of a process, so this disturbs no lock of ours.
 */
export class Checkpointer {
  readonly #worker: Worker
  readonly #waiting = new Map<number, { resolve(r: CheckpointReply): void; reject(e: unknown): void }>()
  #next = 1

  constructor() {
    // The sources run as they are in tests and as JavaScript once built.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    this.#worker = new Worker(new URL(`./checkpoint-worker${extension}`, import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (reply: CheckpointReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (this.#waiting.size === 0) this.#worker.unref()
      if (reply.error === undefined) waiting?.resolve(reply)
      else waiting?.reject(new Error(`checkpoint failed: ${reply.error}`))
    })
    this.#worker.on('error', (error) => {
      for (const waiting of this.#waiting.values()) waiting.reject(error)
      this.#waiting.clear()
    })
  }

  async run(path: string, mode: CheckpointMode): Promise<CheckpointResult> {
    const reply = await this.#ask(path, mode.toUpperCase() as CheckpointRequest['mode'])
    return { busy: reply.busy !== 0, log: reply.log, checkpointed: reply.checkpointed }
  }

  /** Closes the connections; must come before the last read transaction on the database ends. */
  async close(path: string): Promise<void> {
    await this.#ask(path, 'close')
    await this.#worker.terminate()
  }

  #ask(path: string, mode: CheckpointRequest['mode']): Promise<CheckpointReply> {
    const id = this.#next++
    this.#worker.ref()
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ id, path, mode } satisfies CheckpointRequest)
    })
  }
}
