import type { Replica } from '@sqlstream/replica'
import type { PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { LeaseOptions } from './lease/obtain-lease.ts'
import type { MaintenanceOptions } from './maintenance/maintenance.ts'
import type { DiskLimits } from './plan-disk.ts'
import type { BehindPolicy } from './plan-start.ts'

/** Options of `Primary.open`. */
export interface PrimaryOptions {
  /** Path of the live database. */
  readonly database: string
  readonly replica: Replica
  /**
   * URL of the replica, or another name that no other replica has. With it, a database that rests is taken up by the next
   * process as this one has left it, without a listing. Default: none, and each start asks the replica.
   */
  readonly replicaName?: string
  /** How to get the right to write the replica. Default: by a lease in the store. */
  readonly lease?: LeaseOptions
  /** Longest time between a commit and its capture while nobody waits. Default 1000 ms. */
  readonly syncIntervalMs?: number
  /** Quiet time after a file event before the WAL is looked at. Default 5 ms. */
  readonly quietMs?: number
  /** Longest time that further events may put that off. Default 10 ms. */
  readonly maxDelayMs?: number
  /** WAL size at which a checkpoint begins, in frames. Default 1000; adaptive above. */
  readonly checkpointFrames?: number
  /** How long writers may be kept out by a checkpoint before it is given up. Default 40 ms: with the wake-ups of a busy machine less than 50. */
  readonly maxBarrierMs?: number
  /** What to do when the replica is ahead of this database. Default `refuse`. */
  readonly onBehind?: BehindPolicy
  /**
   * What to do when the replica holds another history: this database was never replicated from here, so it may be the wrong
   * place, or another writer has taken over since. Default `refuse`.
   */
  readonly onDiverged?: BehindPolicy
  /** Merging of what was uploaded. Default: levels of 30 s, 5 min and 1 h, and snapshots. `never`: others see to it. */
  readonly maintenance?: MaintenanceOptions | 'never'
  /** Folder of the local state. Default: `.<file>-sqlstream` beside the database. */
  readonly stateDir?: string
  /** How much of the disk captures may take, and how much is left to the application. Default: see {@link DiskLimits}. */
  readonly disk?: DiskLimits
  readonly onEvent?: PrimaryListener
  /** Ends the start, and long scans. To end replication, call `close`. */
  readonly signal?: AbortSignal
  /** The clock, ms since the epoch. Default `Date.now`. */
  readonly now?: () => number
  /** For crash tests. */
  readonly failpoint?: FailpointHook
  /** A capture is cut at the first commit after this many bytes of WAL. Default 64 MiB. */
  readonly cutBytes?: number
}
