import type { StreamReader } from '../byte-stream.ts'
import type { FrameSource } from '../frame-source.ts'
import type { PageKernel } from '../kernel/page-kernel.ts'
import { Block } from './block.ts'
import type { KernelJob, KernelReply, KernelRequest } from './job.ts'
import type { DoneBlock, KernelPool } from './kernel-pool.ts'
import { PoolFrames } from './pool-frames.ts'

/** A thread that answers one request at a time, with createJobRunner. */
export interface PoolWorker {
  /** Must hand over the request's buffer. */
  post(request: KernelRequest): void
  /** It works on a job from now on, or waits for one: then it should not keep the process alive. */
  setBusy?(busy: boolean): void
  /** May resolve when it has ended. */
  terminate(): unknown
}

/** What a thread tells the pool. */
export interface PoolWorkerEvents {
  readonly onReply: (reply: KernelReply) => void
  /** It has died or never started. May be called more than once. */
  readonly onEnd: (cause: unknown) => void
}

/** Starts a thread. If it throws, the job that it was wanted for fails. */
export type StartWorker = (events: PoolWorkerEvents) => PoolWorker

interface Task {
  readonly job: KernelJob
  readonly block: Block
  readonly resolve: (done: DoneBlock) => void
  readonly reject: (error: unknown) => void
}

interface Member {
  worker: PoolWorker | undefined
  task: Task | undefined
}

/** A pool over any kind of threads. They are started when jobs come; one that dies is replaced when the next job comes. */
export class WorkerPool implements KernelPool {
  readonly size: number
  readonly #start: StartWorker
  readonly #members = new Set<Member>()
  readonly #waiting: Task[] = []
  #closed = false

  /** Throws RangeError unless `size` is an integer >= 1. */
  constructor(size: number, start: StartWorker) {
    if (!(Number.isInteger(size) && size >= 1)) throw new RangeError(`pool of ${size} workers`)
    this.size = size
    this.#start = start
  }

  frames(
    kernel: PageKernel,
    reader: StreamReader,
    offset: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): FrameSource {
    return new PoolFrames(kernel, reader, offset, { pool: this, signal: options.signal })
  }

  async run(
    job: KernelJob,
    block: Block,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<DoneBlock> {
    const { signal } = options
    signal?.throwIfAborted()
    if (this.#closed) throw closedError()
    const { promise, resolve, reject } = Promise.withResolvers<DoneBlock>()
    const task: Task = { job, block, resolve, reject }
    // A worker cannot be interrupted: the answer to a job that was given up is dropped when it comes.
    const onAbort = () => {
      const at = this.#waiting.indexOf(task)
      if (at >= 0) this.#waiting.splice(at, 1)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(task)
    this.#dispatch()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const task of this.#waiting.splice(0)) task.reject(closedError())
    const ended: unknown[] = []
    for (const member of this.#members) {
      member.task?.reject(closedError())
      ended.push(member.worker?.terminate())
    }
    this.#members.clear()
    await Promise.all(ended)
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const member = this.#idle() ?? this.#hire()
      if (!member) return
      this.#assign(member, this.#waiting.shift()!)
    }
  }

  #idle(): Member | undefined {
    for (const member of this.#members) if (!member.task) return member
    return undefined
  }

  #hire(): Member | undefined {
    if (this.#members.size >= this.size) return undefined
    const member: Member = { worker: undefined, task: undefined }
    this.#members.add(member)
    return member
  }

  #assign(member: Member, task: Task): void {
    const { pageSize, capacity, buffer } = task.block
    member.task = task
    try {
      member.worker ??= this.#start({
        onReply: (reply) => this.#onReply(member, reply),
        onEnd: (cause) => this.#onEnd(member, cause),
      })
      member.worker.setBusy?.(true)
      member.worker.post({ job: task.job, shape: { pageSize, capacity }, buffer })
    } catch (cause) {
      this.#onEnd(member, cause)
    }
  }

  #onReply(member: Member, { buffer, outcome }: KernelReply): void {
    const { task } = member
    if (!task) return
    member.task = undefined
    member.worker?.setBusy?.(false)
    task.resolve({ ...outcome, block: new Block(task.block, buffer) })
    this.#dispatch()
  }

  #onEnd(member: Member, cause: unknown): void {
    if (!this.#members.delete(member)) return
    member.task?.reject(new Error('a kernel worker has ended', { cause }))
    member.task = undefined
    // A browser's worker lives on after an error.
    Promise.resolve(member.worker?.terminate()).catch(() => undefined)
    this.#dispatch()
  }
}

function closedError(): Error {
  return new Error('the kernel pool is closed')
}
