import { Worker } from 'node:worker_threads'
import type { EngineEvents, EngineLink } from '../engine-client.ts'

/** Starts a module of this folder as a thread. */
export function startWorker(
  module: string,
  { onMessage, onEnd }: EngineEvents,
  workerData?: unknown,
): EngineLink {
  const isSource = import.meta.url.endsWith('.ts')
  const worker = new Worker(new URL(`./${module}${isSource ? '.ts' : '.js'}`, import.meta.url), {
    name: 'sqlstream-sqlite',
    workerData,
    // The process's own flags are not for this thread; sources import sources.
    execArgv: isSource ? ['--conditions=@sqlstream/source'] : [],
  })
  worker.on('message', onMessage)
  worker.on('error', onEnd)
  worker.on('exit', (code) => onEnd(new Error(`it exited with code ${code}`)))
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    setBusy: (busy) => (busy ? worker.ref() : worker.unref()),
    terminate: () => worker.terminate(),
  }
}
