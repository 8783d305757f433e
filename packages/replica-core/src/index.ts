export { type BudgetOptions, Budgets } from './budget/budgets.ts'
export type { RequestEstimate } from './budget/plan-requests.ts'
export { isPrimaryError, PrimaryError, type PrimaryErrorCode } from './errors.ts'
export type { PrimaryEvent, PrimaryListener } from './events.ts'
export { FAILPOINTS, type Failpoint, type FailpointHook, killAt } from './failpoint.ts'
export { destinationOf, PLACEHOLDER_NAMES, unknownPlaceholders } from './fleet/destination.ts'
export type { DiscoveryWarning } from './fleet/discovery-events.ts'
export {
  type FindOptions,
  type FoundDatabase,
  type FoundDatabases,
  findDatabases,
} from './fleet/find-databases.ts'
export { Fleet } from './fleet/fleet.ts'
export type {
  FleetDatabase,
  FleetEvent,
  FleetFailure,
  FleetListener,
  MemberState,
} from './fleet/fleet-events.ts'
export type { FleetFolder, FleetOptions } from './fleet/fleet-options.ts'
export type { FleetReport } from './fleet/fleet-report.ts'
export { type DatabaseKind, databaseKind } from './fleet/header-check.ts'
export { pathMatcher } from './fleet/match-path.ts'
export type { Member } from './fleet/member.ts'
export type { MemberStatus } from './fleet/member-status.ts'
export { sqliteCheck } from './integrity.ts'
export type { LeaseWait } from './lease/acquire-lease.ts'
export {
  type BorrowOptions,
  type TakeOptions,
  withBorrowedLease,
  withTakenLease,
} from './lease/borrow-lease.ts'
export { type HeadState, markTakeover } from './lease/mark-takeover.ts'
export type { LeaseOptions } from './lease/obtain-lease.ts'
export { releaseLease, showLease, stealLease } from './lease/operate-lease.ts'
export type { LeaseRecord } from './lease/record.ts'
export type { MaintenanceOptions } from './maintenance/maintenance.ts'
export { checkVerification, type VerificationPolicy } from './maintenance/plan-verification.ts'
export type { PrimaryOptions } from './options.ts'
export type { DiskLimits, GiveUpReason } from './plan-disk.ts'
export type { BehindPolicy, SnapshotReason } from './plan-start.ts'
export { Primary } from './primary.ts'
export { refuseIfOpen } from './refuse-open.ts'
export { type CloseReport, isComplete, type PrimaryStatus } from './report.ts'
export type { CheckpointMode } from './sqlite/checkpointer.ts'
export type { WALPosition } from './state/position.ts'
export { adoptRestored } from './state/restored.ts'
export type { KeptFiles } from './state/spool.ts'
export { pendingSince } from './state/spool-times.ts'
export type { PrimaryState } from './state-machine.ts'
export { type LocalStatus, readStatus, type StatusOptions } from './status.ts'
