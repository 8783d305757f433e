import {
  createJobRunner,
  type KernelReply,
  type KernelRequest,
  type PoolWorker,
  WorkerPool,
} from '@sqlstream/ltx/pool'

/** How the workers of an inline pool behave. */
export interface InlineOptions {
  /** Default 2. */
  readonly size?: number
  /** How many turns of the event loop job n (0, 1, ...) takes; Infinity: it hangs. Default 0. */
  readonly turns?: (n: number) => number
  /** Called before job n; what it throws ends its worker. */
  readonly beforeJob?: (n: number, request: KernelRequest) => void
  /** Changes the answer to job n. */
  readonly answer?: (reply: KernelReply, n: number) => KernelReply
}

/** A WorkerPool whose workers live in this thread but copy and detach as threads do, and finish in any order. */
export class InlinePool extends WorkerPool {
  /** Jobs posted. */
  readonly jobs: KernelRequest['job'][] = []
  /** Most jobs that were posted and not answered at a time. */
  most = 0
  terminated = 0

  constructor(options: InlineOptions = {}) {
    const { size = 2, turns = () => 0, beforeJob, answer = (reply) => reply } = options
    let running = 0
    super(size, ({ onReply, onEnd }): PoolWorker => {
      const run = createJobRunner()
      return {
        post: (request) => {
          const n = this.jobs.length
          const there = structuredClone(request, { transfer: [request.buffer] })
          this.jobs.push(there.job)
          this.most = Math.max(this.most, ++running)
          const work = async () => {
            if (turns(n) === Number.POSITIVE_INFINITY) return
            for (let i = turns(n); i > 0; i--) await new Promise(setImmediate)
            await undefined
            running--
            try {
              beforeJob?.(n, there)
              const reply = answer(run(there), n)
              onReply(structuredClone(reply, { transfer: [reply.buffer] }))
            } catch (error) {
              onEnd(error)
            }
          }
          void work()
        },
        terminate: () => {
          this.terminated++
        },
      }
    })
  }
}
