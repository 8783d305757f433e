import { Worker } from 'node:worker_threads'

/** A request to a thread, or an answer from it. */
interface Numbered {
  readonly id: number
}

/** What a thread is. */
export interface ThreadOptions {
  /** Of the module beside this one, without its extension. */
  readonly module: string
  /** For errors: `the checkpoint worker`. */
  readonly name: string
  readonly workerData?: unknown
}

/**
 * A thread that keeps connections to databases and answers requests by their number. It starts with the first one; when it
 * dies, whoever waits is told, and the next request starts another. It keeps the process alive only while somebody waits.
 */
export class DatabaseThread<Request extends Numbered, Reply extends Numbered> {
  readonly #options: ThreadOptions
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>()
  /** Databases that are open in it. */
  readonly #open = new Set<string>()
  #worker: Worker | undefined
  #next = 1

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** A number for the next request. */
  number(): number {
    return this.#next++
  }

  /** Sends a request for which the thread opens a database. @throws Error when the thread dies */
  async ask(path: string, request: Request): Promise<Reply> {
    this.#open.add(path)
    return this.#send(request)
  }

  /** A further answer to the same request. @throws Error when the thread dies */
  answer({ id }: Numbered): Promise<Reply> {
    this.#worker?.ref()
    const waiting = Promise.withResolvers<Reply>()
    this.#waiting.set(id, waiting)
    return waiting.promise
  }

  /** Sends the request that closes a database, if it is open there. @throws Error when the thread dies */
  async release(path: string, request: Request): Promise<Reply | undefined> {
    return this.#open.delete(path) && this.#worker !== undefined ? this.#send(request) : undefined
  }

  /** Ends the thread. Every database must have been released. */
  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  #send(request: Request): Promise<Reply> {
    this.#worker ??= this.#start()
    const answer = this.answer(request)
    this.#worker.postMessage(request)
    return answer
  }

  #start(): Worker {
    const { module, name, workerData } = this.#options
    // The sources run as they are in tests and as JavaScript once built.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const worker = new Worker(new URL(`./${module}${extension}`, import.meta.url), { workerData })
    worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (this.#waiting.size === 0) worker.unref()
      waiting?.resolve(reply)
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
      const gone = new Error(`${name} has ended`, { cause })
      for (const waiting of this.#waiting.values()) waiting.reject(gone)
      this.#waiting.clear()
    })
    return worker
  }
}
