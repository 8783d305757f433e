import type { Replica } from '@sqlstream/replica'
import type { BudgetOptions, Budgets } from '../budget/budgets.ts'
import type { PrimaryOptions } from '../options.ts'
import type { DiscoveryOptions } from './discovery.ts'
import type { FleetDatabase, FleetListener } from './fleet-events.ts'

/** A folder whose databases are replicated. */
export type FleetFolder = Pick<
  DiscoveryOptions,
  'path' | 'recursive' | 'include' | 'exclude' | 'hidden' | 'partition' | 'scanIntervalMs' | 'signal'
>

/** Options of `Fleet.open`. */
export interface FleetOptions {
  /** Where the databases are. */
  readonly folder: FleetFolder
  /** Where a database goes, in the store: see `destinationOf`. Default `{relpath}`. */
  readonly template?: string
  /** The replica of a database. All of them are in one store. */
  readonly replicaOf: (database: FleetDatabase) => Replica
  /**
   * URL of that store, or another name that no other store has. With it, a database that rested when a process ended, and that nobody
   * has written since, rests in the next one too: it is not opened, and its replica is not asked. Default: none, all are opened.
   */
  readonly storeName?: string
  /** How each database is replicated. */
  readonly primary?: Omit<
    PrimaryOptions,
    'database' | 'replica' | 'replicaName' | 'stateDir' | 'onEvent' | 'signal'
  >
  /** A database that saw no commit for so long is let go. Default 60,000 ms. */
  readonly restAfterMs?: number
  /** How long those that are open may take at the end to come to rest, beside their uploads, each a sixth of it. Default 3000 ms. */
  readonly lastRestsMs?: number
  /** How many databases may be open at once. Default 1000. */
  readonly maxOpen?: number
  /** What all databases may take together: limits of this fleet alone, or what it shares with others. */
  readonly budgets?: BudgetOptions | Budgets
  /** How many are opened at the same time, and closed at the end. Default 16. */
  readonly concurrency?: number
  /** Length from which on a segment of the shared log of captures is followed by another. Default 32 MiB. */
  readonly logSegmentBytes?: number
  readonly onEvent?: FleetListener
  /** Learns how long writers of a database were kept out, each time that we took its write lock, ms. Must be cheap. */
  readonly onWriteLock?: (milliseconds: number) => void
}
