import { openWith } from '../open.ts'
import type { OpenOptions } from '../options.ts'
import type { ReadReplica } from '../read-replica.ts'
import { compiledSqlite } from './compiled-sqlite.ts'
import { type HydrateOptions, hydrateWith } from './hydrate.ts'
import { startWorker } from './start-worker.ts'

/** How a backup is opened in Node. */
export interface NodeOpenOptions extends OpenOptions {
  /** Make a local copy in the background, and let it answer queries when it has caught up. Needs `@sqlstream/follower`. Not for a fixed state. */
  readonly hydrate?: HydrateOptions | undefined
}

/**
 * Opens a backup as a read-only database. SQLite runs in a thread of its own; this thread fetches what it asks for, so it must not be blocked for long. A replica that
 * polls keeps the process alive until it is closed.
 *
 * @throws ReplicaError when nothing can be opened there, the store's errors, the reason of the signal; ReadReplicaError `engine` when `hydrate` cannot work here
 */
export async function openReplica({ hydrate, ...options }: NodeOpenOptions): Promise<ReadReplica> {
  if (hydrate && options.at) throw new TypeError('a fixed state is not hydrated: restore it')
  const copy = hydrate && (await hydrateWith(hydrate))
  const wasmModule = await compiledSqlite()
  return await openWith((events) => startWorker('engine-worker', events), { ...options, wasmModule }, copy)
}
