import { ReadReplicaError } from '../errors.ts'
import type { HydrateWith } from '../hydration/hydration.ts'
import { startWorker } from './start-worker.ts'

/** How a local copy is kept. */
export interface HydrateOptions {
  /** Path of the copy. It stays after `close`, and is gone on with the next time. */
  readonly path: string
  /** What reads it. Default, and all there is: `better-sqlite3`, as `@sqlstream/follower` brings it. */
  readonly engine?: 'better-sqlite3' | undefined
  /**
   * How long a change of the copy may wait for its readers before new queries go to the backup, ms. Until then they wait for the change. Default 250.
   */
  readonly holdMs?: number | undefined
}

/** What makes and reads copies, when it is installed. @throws ReadReplicaError `engine` */
export async function hydrateWith({ path, holdMs = 250 }: HydrateOptions): Promise<HydrateWith> {
  const { openFollower } = await loadFollower()
  return {
    holdMs,
    start: (events) => startWorker('local-worker', events, { path }),
    async open({ replica, exclusively, signal }) {
      const follower = await openFollower({ replica, file: path, poll: false, exclusively, signal })
      return {
        get state() {
          const { pos, timestamp } = follower.status
          return { txid: pos.txid, time: timestamp.getTime(), checksum: pos.postApplyChecksum }
        },
        look: (everywhere) => follower.look({ everywhere }),
        close: () => follower.close(),
      }
    },
  }
}

async function loadFollower(): Promise<typeof import('@sqlstream/follower')> {
  try {
    return await import('@sqlstream/follower')
  } catch (cause) {
    throw new ReadReplicaError('engine', 'hydrate needs @sqlstream/follower, which cannot be loaded', {
      cause,
      hint: 'Install it beside @sqlstream/read-replica, in the same version.',
    })
  }
}
