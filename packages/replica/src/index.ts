export { type Catalog, createCatalog, headOf, type Level, type LTXFile, SNAPSHOT_LEVEL } from './catalog.ts'
export { restorableTXIDs } from './chain.ts'
export {
  isReplicaError,
  ReplicaError,
  type ReplicaErrorCode,
  type ReplicaErrorOptions,
} from './errors.ts'
export { findGaps } from './gaps.ts'
export type { Identity } from './identity.ts'
export { type Layout, LEASE_KEY, ltxKey, OWN_PREFIX, type ParsedKey, parseLTXKey } from './layout.ts'
export { assumeSoleWriter, type Epoch, type Lease } from './lease.ts'
export { withNewestFiles } from './newest-files.ts'
export { type PlanRestoreOptions, planRestore, type RestorePlan, type RestoreTarget } from './plan-restore.ts'
export { isWorthPool, type MakePool } from './pool.ts'
export { type AbortOptions, Replica, type ReplicaOptions } from './replica.ts'
export {
  type PageSink,
  type Progress,
  type RestoreOptions,
  type RestoreResult,
  restore,
} from './restore.ts'
export type { Doomed } from './retention/by-grace.ts'
export { readDoomed } from './retention/doomed-record.ts'
export {
  type LitestreamRetention,
  retentionFromLitestream,
} from './retention/litestream-policy.ts'
export type { Outlook, TierOutlook } from './retention/outlook.ts'
export { listPins, type Pin, pin, unpin } from './retention/pins.ts'
export {
  planRetention,
  type RetentionInput,
  type RetentionPlan,
} from './retention/plan-retention.ts'
export {
  createRetentionPolicy,
  DEFAULT_RETENTION,
  type RetentionPolicy,
  type RetentionPolicyInit,
  type RetentionTier,
} from './retention/policy.ts'
export type { RestorePoint } from './retention/promises.ts'
export { type RetainOptions, type RetentionResult, retain } from './retention/retain.ts'
export { type Survey, type SurveyOptions, surveyRetention } from './retention/survey.ts'
export { withoutRemains } from './retention/without-remains.ts'
export { type Finding, type VerifyOptions, verify } from './verify.ts'
export type { PutFileOptions, ReplicaWriter } from './writer.ts'
