import { Serial } from '../serial.ts'
import type { BarrierData, BarrierReply, BarrierRequest } from './barrier-worker.ts'
import { DatabaseThread } from './database-thread.ts'

const PATIENCE_MS = 20

/**
 * The thread that write barriers live in. It lowers one when its time is over even if the main thread is stuck in
 * a slow fsync just then. One serves many databases, one after the other, and starts when the first needs it.
 */
export class BarrierThread {
  readonly #lowered = new Int32Array(new SharedArrayBuffer(4))
  readonly #turns = new Serial()
  readonly #thread = new DatabaseThread<BarrierRequest, BarrierReply>({
    module: 'barrier-worker',
    name: 'the write barrier',
    workerData: { lowered: this.#lowered } satisfies BarrierData,
  })
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
    const request = { id: this.#thread.number(), path, patienceMs: PATIENCE_MS, maxMs }
    this.#current = request.id
    Atomics.store(this.#lowered, 0, 0)
    const first = checked(await this.#thread.ask(path, request))
    if (first.type !== 'raised') {
      onRaised(undefined)
      return undefined
    }
    const second = this.#thread.answer(request)
    onRaised(request.id)
    const end = checked(await second)
    this.#current = 0
    return end.type === 'lowered' ? end.heldMs : undefined
  }

  /**
   * Lets go of a database. Must come before the last read transaction of this process on it ends. Not in turn: who closes may be
   * what the work of a barrier waits for. Its time ends by itself.
   */
  async release(path: string): Promise<void> {
    const reply = await this.#thread.release(path, { id: this.#thread.number(), close: path })
    if (reply !== undefined) checked(reply)
  }

  /** Ends the thread. Every database must have been released. */
  end(): Promise<void> {
    return this.#thread.end()
  }
}

/** @throws Error when SQLite refused */
function checked(reply: BarrierReply): BarrierReply {
  if (reply.type === 'error') throw new Error(`write barrier: ${reply.message}`)
  return reply
}
