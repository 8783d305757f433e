import type { TXID } from '@sqlstream/ltx'
import {
  type Budgets,
  type CloseReport,
  type LeaseOptions,
  type MaintenanceOptions,
  Primary,
  type PrimaryEvent,
  type PrimaryOptions,
  type PrimaryStatus,
} from '@sqlstream/replica-core'
import type { StorageOperation } from '@sqlstream/storage'
import type { Drivers } from './drivers.ts'
import { type NamedReplica, openReplica } from './open-replica.ts'

/** One database, where it goes, and how. */
export interface Pair
  extends Pick<PrimaryOptions, 'syncIntervalMs' | 'onBehind' | 'onDiverged' | 'stateDir'> {
  /** Merging, retention and verification. */
  readonly maintenance?: MaintenanceOptions
  readonly database: string
  readonly url: string
  /** The URL for people. */
  readonly display: string
  readonly lease: LeaseOptions
  /** Variables for the storage driver. Default: those of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Receives the events of one database. */
export type PairListener = (pair: Pair, event: PrimaryEvent) => void

/** What a replication is started with, beside its pair. */
export interface ReplicationOptions {
  readonly drivers: Drivers
  readonly signal: AbortSignal
  readonly onEvent: PairListener
  readonly budgets: Budgets
  /** Learns of every call of the store. */
  readonly onOperation?: (operation: StorageOperation) => void
  /** Learns how long writers were kept out, ms. */
  readonly onWriteLock?: (milliseconds: number) => void
}

/** A running replication of one database. */
export class Replication {
  readonly pair: Pair
  readonly #named: NamedReplica
  readonly #primary: Primary

  private constructor(pair: Pair, named: NamedReplica, primary: Primary) {
    this.pair = pair
    this.#named = named
    this.#primary = primary
  }

  /** The replica's URL without credentials. */
  get display(): string {
    return this.#named.location.display
  }

  static async start(pair: Pair, options: ReplicationOptions): Promise<Replication> {
    const { drivers, signal, onEvent, onOperation, budgets, onWriteLock } = options
    const { database, url, display: _display, environment, ...rest } = pair
    const named = await openReplica(url, { drivers, signal, environment, onOperation })
    try {
      const primary = await Primary.open(
        {
          ...rest,
          database,
          replica: budgets.replica(named.replica, database),
          signal,
          onEvent: (event) => onEvent(pair, event),
        },
        { limits: budgets.limits, disk: budgets.disk, onWriteLock },
      )
      return new Replication(pair, named, primary)
    } catch (error) {
      await named[Symbol.asyncDispose]()
      throw error
    }
  }

  /** How it stands now. */
  get status(): PrimaryStatus {
    return this.#primary.status
  }

  /** Captures every commit that is visible now, and says where the newest of them is. */
  async sync(signal: AbortSignal): Promise<TXID> {
    return (await this.#primary.sync({ signal })).txid
  }

  /** Resolves when everything that was committed before is in the replica, with where the newest of it is. */
  async durable(signal: AbortSignal): Promise<TXID> {
    return (await this.#primary.durable({ signal })).txid
  }

  /** Uploads what is left and lets go. The signal ends the wait for the uploads. */
  async stop(signal?: AbortSignal): Promise<CloseReport> {
    try {
      return await this.#primary.close(signal && { signal })
    } finally {
      await this.#named[Symbol.asyncDispose]()
    }
  }
}
