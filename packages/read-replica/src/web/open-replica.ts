import type { EngineEvents, EngineLink } from '../engine-client.ts'
import { openWith } from '../open.ts'
import type { OpenOptions } from '../options.ts'
import type { ReadReplica } from '../read-replica.ts'

/** How a backup is opened in a browser. */
export interface WebOpenOptions extends OpenOptions {
  /** Starts a module worker whose script calls `serveReplica` of `@sqlstream/read-replica/web/worker`. A replica starts one, and ends it. */
  readonly worker: () => Worker
  /** Where `sqlite3.wasm` of `@sqlite.org/sqlite-wasm` is served. Default: beside the worker's script. */
  readonly wasmUrl?: string | undefined
}

/**
 * Opens a backup as a read-only database in a page or a worker. SQLite runs in a worker of its own and waits for pages in shared memory, so the page must be
 * cross-origin isolated (headers `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`).
 *
 * @throws TypeError when the page is not isolated; ReplicaError when nothing can be opened there, the store's errors, the reason of the signal
 */
export async function openReplica(options: WebOpenOptions): Promise<ReadReplica> {
  if (!globalThis.crossOriginIsolated) {
    throw new TypeError(
      'the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy',
    )
  }
  return await openWith((events) => startWorker(options.worker, events), options)
}

function startWorker(start: () => Worker, { onMessage, onEnd }: EngineEvents): EngineLink {
  const worker = start()
  worker.onmessage = ({ data }) => onMessage(data)
  worker.onmessageerror = () => onEnd(new Error('a message of the worker cannot be read'))
  worker.onerror = (event) => onEnd(new Error(event.message || 'the script of the worker cannot be loaded'))
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => worker.terminate(),
  }
}
