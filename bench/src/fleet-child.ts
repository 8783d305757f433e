/** What a fleet replicates, and the folder into which. */
export interface FleetChildOptions {
  readonly folder: string
  readonly replica: string
  readonly restAfterMs: number
  readonly maxOpen: number
}

/** How a fleet stands. */
export interface FleetFigures {
  /** Since its process opened it. */
  readonly startMs: number
  readonly databases: number
  readonly residentBytes: number
  readonly descriptors: number
  /** Calls of the store since the start. */
  readonly requests: number
  /** None are expected. */
  readonly failures: readonly string[]
  /** Since the last report: how long writers of a database were kept out, each time, ms. */
  readonly writeLocks: readonly number[]
  /** Since the last report: path, when its capture began, when it was in the replica, on the shared clock. */
  readonly arrivals: readonly (readonly [database: string, captured: number, uploaded: number])[]
}
