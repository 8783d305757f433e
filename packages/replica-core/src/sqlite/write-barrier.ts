import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { BarrierData, BarrierReply, BarrierRequest } from './barrier-worker.ts'

const PATIENCE_MS = 20

/**
 * Keeps other writers out for a moment, without ever writing: BEGIN IMMEDIATE, later ROLLBACK. It
 * lives in a thread of its own, which lowers it when its time is over even if this thread is stuck in
 * a slow fsync just then. Nothing but the writers' pause depends on it: the holder moves with a
 * guard, barrier or not.
 */
export class WriteBarrier {
  readonly #path: string
  readonly #maxMs: number
  readonly #lowered = new Int32Array(new SharedArrayBuffer(4))
  #worker: Worker | undefined
  #held = false

  /** @param maxMs how long it stays up at most */
  constructor(path: string, maxMs: number) {
    this.#path = path
    this.#maxMs = maxMs
  }

  /**
   * Runs `work` while nobody can commit, as long as the time lasts.
   *
   * @returns how long writers were kept out, ms; undefined when a writer never left the lock free or the
   *   barrier is up for something else, and `work` was not run
   */
  async hold(work: () => Promise<void>): Promise<number | undefined> {
    if (this.#held) return undefined
    this.#held = true
    try {
      return await this.#hold(work)
    } finally {
      this.#held = false
    }
  }

  async #hold(work: () => Promise<void>): Promise<number | undefined> {
    // Quiet databases never need one.
    this.#worker ??= this.#start()
    const worker = this.#worker
    Atomics.store(this.#lowered, 0, 0)
    worker.ref()
    try {
      worker.postMessage({ patienceMs: PATIENCE_MS, maxMs: this.#maxMs } satisfies BarrierRequest)
      const first = await reply(worker)
      if (first !== 'raised') return undefined
      const second = reply(worker)
      try {
        await work()
      } finally {
        Atomics.store(this.#lowered, 0, 1)
        Atomics.notify(this.#lowered, 0)
        await second
      }
      const end = await second
      return typeof end === 'object' && 'heldMs' in end ? end.heldMs : undefined
    } finally {
      worker.unref()
    }
  }

  /** Must come before the last read transaction of this process on the database ends. */
  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (worker === undefined) return
    const gone = once(worker, 'exit')
    worker.ref()
    worker.postMessage('close')
    await gone
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const workerData: BarrierData = { path: this.#path, lowered: this.#lowered }
    const worker = new Worker(new URL(`./barrier-worker${extension}`, import.meta.url), { workerData })
    // Whoever waits for it is told; the next one starts another.
    worker.on('error', () => undefined)
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
    })
    return worker
  }
}

/** @throws Error when SQLite refuses, or the worker dies */
function reply(worker: Worker): Promise<BarrierReply> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', onMessage).off('error', onGone).off('exit', onGone)
    }
    const onMessage = (message: BarrierReply): void => {
      settle()
      if (typeof message === 'object' && 'error' in message) {
        reject(new Error(`write barrier: ${message.error}`))
      } else {
        resolve(message)
      }
    }
    const onGone = (cause: unknown): void => {
      settle()
      reject(new Error('the write barrier has ended', { cause }))
    }
    worker.on('message', onMessage).on('error', onGone).on('exit', onGone)
  })
}
