import type { Hydration } from './hydration/hydration.ts'
import type { ReplicaCore } from './replica-core.ts'
import type { SessionClient } from './session-client.ts'
import type { Follower } from './source/follower.ts'

/** What makes a replica: made by `openReplica`. */
export interface ReadReplicaParts {
  readonly core: ReplicaCore
  readonly session: SessionClient
  /** Absent: the state is fixed. */
  readonly follower?: Follower | undefined
  readonly intervalMs?: number | undefined
  /** Whether to look for new states without being asked. */
  readonly polls?: boolean | undefined
  readonly maxLagMs?: number | undefined
  /** A local copy that takes over when it can. */
  readonly hydration?: Hydration | undefined
}
