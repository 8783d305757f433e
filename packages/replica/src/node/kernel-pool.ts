import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { KernelPool } from '@sqlstream/ltx'
import { type StartWorker, WorkerPool } from '@sqlstream/ltx/pool'

/** More threads than this do not help: one thread feeds them all. */
const MOST_WORKERS = 8

/** Options of `createKernelPool`. */
export interface KernelPoolOptions {
  /** Threads, at least 1. Default: one per core, at most 8. */
  readonly size?: number
}

/**
 * Kernels in worker threads, for `restore` and `verify` of large replicas. Threads start with their first jobs and end with
 * `close`; while they have nothing to do they do not keep the process alive.
 */
export function createKernelPool(options: KernelPoolOptions = {}): KernelPool {
  return new WorkerPool(options.size ?? poolSize(availableParallelism()), startWorker)
}

/** As `createKernelPool`, but leaves a core to the application that this process is there for. */
export function createModestPool(): KernelPool {
  return createKernelPool({ size: poolSize(availableParallelism() - 1) })
}

/** How many threads are of use when so many cores are free for them. */
export function poolSize(cores: number): number {
  return Math.max(1, Math.min(cores, MOST_WORKERS))
}

/** Starts one thread of a pool. */
export const startWorker: StartWorker = ({ onReply, onEnd }) => {
  const isSource = import.meta.url.endsWith('.ts')
  const worker = new Worker(new URL(`./kernel-worker${isSource ? '.ts' : '.js'}`, import.meta.url), {
    name: 'sqlstream-kernel',
    // The process's own flags are not for this thread; sources import sources.
    execArgv: isSource ? ['--conditions=@sqlstream/source'] : [],
  })
  worker.on('message', onReply)
  worker.on('error', onEnd)
  worker.on('exit', (code) => onEnd(new Error(`it exited with code ${code}`)))
  return {
    post: (request) => worker.postMessage(request, [request.buffer]),
    setBusy: (busy) => (busy ? worker.ref() : worker.unref()),
    terminate: () => worker.terminate(),
  }
}
