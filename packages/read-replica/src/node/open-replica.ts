import { Worker } from 'node:worker_threads'
import type { EngineEvents, EngineLink } from '../engine-client.ts'
import { openWith } from '../open.ts'
import type { OpenOptions } from '../options.ts'
import type { ReadReplica } from '../read-replica.ts'

/**
 * Opens a backup as a read-only database. SQLite runs in a thread of its own; this thread fetches what it asks for, so it must not be blocked for long. A replica that
 * polls keeps the process alive until it is closed.
 *
 * @throws ReplicaError when nothing can be opened there, the store's errors, the reason of the signal
 */
export async function openReplica(options: OpenOptions): Promise<ReadReplica> {
  return await openWith(startWorker, options)
}

function startWorker({ onMessage, onEnd }: EngineEvents): EngineLink {
  const isSource = import.meta.url.endsWith('.ts')
  const worker = new Worker(new URL(`./engine-worker${isSource ? '.ts' : '.js'}`, import.meta.url), {
    name: 'sqlstream-sqlite',
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
