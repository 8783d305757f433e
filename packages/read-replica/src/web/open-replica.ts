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
  /**
   * How SQLite gets its pages. `shared-memory` needs a page that is cross-origin isolated; `xhr` needs `urlOf`, asks for ranges one after the other, and a statement
   * that was aborted runs on in the worker. `auto` (default): `shared-memory` where it can be had.
   */
  readonly bridge?: 'auto' | 'shared-memory' | 'xhr' | undefined
  /** For `xhr`: the address of an object, for a GET with a range and without anything else. */
  readonly urlOf?: ((key: string) => string) | undefined
}

/**
 * Opens a backup as a read-only database in a page or a worker. SQLite runs in a worker of its own.
 *
 * @throws TypeError when the page is not isolated and there is no `urlOf`; ReplicaError when nothing can be opened there, the store's errors, the reason of
 * the signal
 */
export async function openReplica(options: WebOpenOptions): Promise<ReadReplica> {
  const { worker, bridge = 'auto', urlOf, ...rest } = options
  const start = (events: EngineEvents): EngineLink => startWorker(worker, events)
  if (bridge !== 'xhr' && globalThis.crossOriginIsolated) return await openWith(start, rest)
  if (bridge !== 'shared-memory' && urlOf) return await openWith(start, { ...rest, urlOf })
  throw new TypeError(
    bridge === 'xhr'
      ? 'the bridge "xhr" needs urlOf'
      : 'the page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or give urlOf',
  )
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
