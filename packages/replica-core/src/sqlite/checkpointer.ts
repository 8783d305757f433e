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
 * Runs checkpoints in a worker thread, so that a long one (64 MB: 0.2 s) does not delay capture. One thread serves many databases.
 * SQLite's lock table is shared by the threads of a process, so this disturbs no lock of ours.
 */
export class Checkpointer {
  readonly #waiting = new Map<number, { resolve(r: CheckpointReply): void; reject(e: unknown): void }>()
  /** Databases that are open in the thread. */
  readonly #open = new Set<string>()
  #worker: Worker | undefined
  #next = 1

  /** @throws Error when SQLite refuses, or the worker dies; the next call starts another one */
  async run(path: string, mode: CheckpointMode): Promise<CheckpointResult> {
    this.#open.add(path)
    const reply = await this.#ask(path, mode.toUpperCase() as CheckpointRequest['mode'])
    return { busy: reply.busy !== 0, log: reply.log, checkpointed: reply.checkpointed }
  }

  /** Lets go of a database. Must come before the last read transaction of this process on it ends. */
  async release(path: string): Promise<void> {
    if (this.#open.delete(path) && this.#worker !== undefined) await this.#ask(path, 'close')
  }

  /** Ends the thread. Every database must have been released. */
  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  #ask(path: string, mode: CheckpointRequest['mode']): Promise<CheckpointReply> {
    const id = this.#next++
    // A database that never changes needs no worker.
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#worker.postMessage({ id, path, mode } satisfies CheckpointRequest)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #start(): Worker {
    // The sources run as they are in tests and as JavaScript once built.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const worker = new Worker(new URL(`./checkpoint-worker${extension}`, import.meta.url))
    worker.on('message', (reply: CheckpointReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (this.#waiting.size === 0) worker.unref()
      if (reply.error === undefined) waiting?.resolve(reply)
      else waiting?.reject(new Error(`checkpoint failed: ${reply.error}`))
    })
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    worker.once('exit', () => {
      if (this.#worker === worker) {
        this.#worker = undefined
        this.#open.clear()
      }
      const gone = new Error('the checkpoint worker has ended', { cause })
      for (const waiting of this.#waiting.values()) waiting.reject(gone)
      this.#waiting.clear()
    })
    return worker
  }
}
