import { Worker } from 'node:worker_threads'
import { Serial } from '../serial.ts'
import type { BarrierData, BarrierReply, BarrierRequest } from './barrier-worker.ts'

const PATIENCE_MS = 20

/**
 * The thread that write barriers live in. It lowers one when its time is over even if the main thread is stuck in
 * a slow fsync just then. One serves many databases, one after the other, and starts when the first needs it.
 */
export class BarrierThread {
  readonly #lowered = new Int32Array(new SharedArrayBuffer(4))
  readonly #turns = new Serial()
  /** Databases that are open in the thread. */
  readonly #open = new Set<string>()
  readonly #waiting = new Map<number, (reply: BarrierReply | Error) => void>()
  #worker: Worker | undefined
  #next = 1
  /** The barrier that is up or going up. */
  #current = 0

  /** See `WriteBarrier.hold`. */
  async hold(path: string, maxMs: number, work: () => Promise<void>): Promise<number | undefined> {
    const raised = Promise.withResolvers<number | undefined>()
    // The next database's turn begins when the barrier is down, whether the work has ended or not.
    const turn = this.#turns.run(() => this.#raise(path, maxMs, raised.resolve))
    turn.catch(raised.reject)
    const id = await raised.promise
    if (id === undefined) return undefined
    try {
      await work()
    } finally {
      if (this.#current === id) {
        Atomics.store(this.#lowered, 0, 1)
        Atomics.notify(this.#lowered, 0)
      }
      await turn
    }
    return await turn
  }

  async #raise(
    path: string,
    maxMs: number,
    onRaised: (id: number | undefined) => void,
  ): Promise<number | undefined> {
    const id = this.#next++
    this.#open.add(path)
    this.#current = id
    Atomics.store(this.#lowered, 0, 0)
    const first = await this.#ask(id, { id, path, patienceMs: PATIENCE_MS, maxMs })
    if (first.type !== 'raised') {
      onRaised(undefined)
      return undefined
    }
    const second = this.#answer(id)
    onRaised(id)
    const end = await second
    this.#current = 0
    return end.type === 'lowered' ? end.heldMs : undefined
  }

  /** Lets go of a database. Must come before the last read transaction of this process on it ends. */
  async release(path: string): Promise<void> {
    // Not in turn: who closes may be what the work of a barrier waits for. Its time ends by itself.
    if (!this.#open.delete(path) || this.#worker === undefined) return
    const id = this.#next++
    await this.#ask(id, { id, close: path })
  }

  /** Ends the thread. Every database must have been released. */
  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  #ask(id: number, request: BarrierRequest): Promise<BarrierReply> {
    this.#worker ??= this.#start()
    const answer = this.#answer(id)
    this.#worker.postMessage(request)
    return answer
  }

  /** @throws Error when SQLite refuses, or the thread dies */
  #answer(id: number): Promise<BarrierReply> {
    this.#worker?.ref()
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        this.#waiting.delete(id)
        if (this.#waiting.size === 0) this.#worker?.unref()
        if (reply instanceof Error) reject(reply)
        else if (reply.type === 'error') reject(new Error(`write barrier: ${reply.message}`))
        else resolve(reply)
      })
    })
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const workerData: BarrierData = { lowered: this.#lowered }
    const worker = new Worker(new URL(`./barrier-worker${extension}`, import.meta.url), { workerData })
    worker.on('message', (reply: BarrierReply) => this.#waiting.get(reply.id)?.(reply))
    let cause: unknown
    // Whoever waits for it is told; the next one starts another.
    worker.on('error', (error) => {
      cause = error
    })
    worker.once('exit', () => {
      if (this.#worker === worker) {
        this.#worker = undefined
        this.#open.clear()
      }
      const gone = new Error('the write barrier has ended', { cause })
      for (const settle of [...this.#waiting.values()]) settle(gone)
    })
    return worker
  }
}
