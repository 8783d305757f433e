import type { PrimaryEvent } from '../events.ts'
import type { DiscoveryWarning } from './discovery-events.ts'

/** Which database of a fleet an event is about. */
export interface FleetDatabase {
  /** Absolute. */
  readonly path: string
  /** Relative to the folder that it was found in, with slashes. */
  readonly relpath: string
  /** Where its replica is, in the store: ends in a slash. */
  readonly destination: string
}

/**
 * - `queued`: to be opened when its turn comes
 * - `opening`: being opened
 * - `open`: replicated; its commits are captured as they come
 * - `resting`: everything is in its replica; nothing of it is open
 * - `failed`: could not be opened; tried again later
 * - `fenced`: another writer has its replica
 * - `stopped`: let go on the operator's wish; what the application commits is not backed up
 * - `gone`: its file is not there any more
 */
export type MemberState = 'queued' | 'opening' | 'open' | 'resting' | 'failed' | 'fenced' | 'stopped' | 'gone'

/** A database of a fleet, and why it is not in its replica. */
export interface FleetFailure {
  readonly database: FleetDatabase
  readonly error: Error
}

/** What a fleet tells. */
export type FleetEvent =
  | { readonly type: 'found'; readonly database: FleetDatabase }
  | { readonly type: 'member'; readonly database: FleetDatabase; readonly state: MemberState }
  /** What the primary of a database tells. */
  | { readonly type: 'primary'; readonly database: FleetDatabase; readonly event: PrimaryEvent }
  | {
      readonly type: 'open-failed'
      readonly database: FleetDatabase
      readonly error: Error
      readonly retryInMs: number
    }
  | {
      readonly type: 'warning'
      /** `no-shared-log`: the folder cannot be written; each database makes its captures durable for itself, which is slower. */
      readonly code: DiscoveryWarning | 'destination-collision' | 'no-destination' | 'no-shared-log'
      readonly path: string
      readonly message: string
    }

/** Receives the events of a fleet. Callbacks are synchronous and must be cheap; what they throw is ignored. */
export type FleetListener = (event: FleetEvent) => void
