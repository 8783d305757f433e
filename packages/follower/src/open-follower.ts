import { Follower } from './follower.ts'
import type { FollowerOptions } from './options.ts'

/**
 * Keeps a local copy of a replica's database at the newest state, until it is closed or its signal aborts.
 *
 * @throws FollowerError, ReplicaError (`no-snapshot`, `gap`, ...), the store's errors
 */
export function openFollower(options: FollowerOptions): Promise<Follower> {
  return Follower.open(options)
}
