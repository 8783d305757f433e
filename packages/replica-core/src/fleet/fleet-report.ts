import type { FleetDatabase } from './fleet-events.ts'

/** What is left when a fleet is closed. */
export interface FleetReport {
  readonly databases: number
  /** Captured, but not in the replicas: they stay in the spools and go up at the next start. */
  readonly pendingFiles: number
  /** Those of which not everything is known to be in the replica: never opened, failed, or with files that wait. */
  readonly incomplete: readonly FleetDatabase[]
}
