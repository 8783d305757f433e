import type { Lease } from '@sqlstream/replica'
import type { Slots } from '@sqlstream/storage'
import type { DiskBudget } from './budget/disk-budget.ts'
import type { FolderWatches } from './fleet/folder-watches.ts'
import type { ObtainContext } from './lease/obtain-lease.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Resting } from './rest.ts'
import type { SQLiteThreads } from './sqlite/sqlite-threads.ts'
import type { CaptureLog } from './state/capture-log.ts'
import type { RestRecord } from './state/rest-record.ts'
import type { StateFolder } from './state/state-folder.ts'

/** What all databases of a process may do at once. */
export interface Limits {
  readonly uploads: Slots
  /** Databases whose files are merged or removed. */
  readonly maintenances: Slots
  /** Of files in memory. Default: as many as there are. */
  readonly uploadBytes?: Slots | undefined
}

/** What a primary shares with others of its process, and with itself before it rested. */
export interface PrimaryContext {
  /** Default: threads of its own. */
  readonly threads?: SQLiteThreads
  /** Default: a watch of its own. */
  readonly watches?: FolderWatches
  /** Where captures are made durable together with those of other databases. Default: each in files of its own. */
  readonly log?: CaptureLog | undefined
  /** Default: none. */
  readonly limits?: Limits | undefined
  /** What captures may take of the disk, shared with other databases. Default: as the options say, for this one alone. */
  readonly disk?: DiskBudget | undefined
  /** Learns how long writers were kept out, each time that we took the write lock, ms. Must be cheap. */
  readonly onWriteLock?: ((milliseconds: number) => void) | undefined
  /** What the last primary of this database left when it rested. The lease in it is given back if the start fails. */
  readonly resting?: Resting | undefined
  /** Since when something may have been committed that was not captured, ms since the epoch. Default: now. */
  readonly since?: number | undefined
  /** Makes sure that the store keeps two writers apart. Default: by a probe. */
  readonly assertLeases?: ObtainContext['assertLeases']
}

/** What a replication is made of that is not its own. */
export interface ReplicationParts {
  readonly folder: StateFolder
  readonly lifecycle: Lifecycle
  readonly lease: Lease
  readonly threads: SQLiteThreads
  readonly log?: CaptureLog | undefined
  readonly limits?: Limits | undefined
  /** See {@link PrimaryContext}. */
  readonly onWriteLock?: ((milliseconds: number) => void) | undefined
  /** What was kept when the database was let go. */
  readonly resting?: Resting | undefined
  /** What another process has recorded when it let the database go. */
  readonly recorded?: RestRecord | undefined
}
