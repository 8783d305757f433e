export { capturesAfter } from './captures-after.ts'
export {
  type Catalog,
  createCatalog,
  filesOf,
  fileTime,
  headOf,
  type Level,
  type LTXFile,
  SNAPSHOT_LEVEL,
  withFiles,
} from './catalog.ts'
export { restorableTXIDs } from './chain.ts'
export {
  type CompactOptions,
  type CompactResult,
  compact,
  type Merged,
} from './compaction/compact.ts'
export { InputList } from './compaction/input-list.ts'
export { type CompactionLevels, checkLevels, DEFAULT_LEVELS } from './compaction/levels.ts'
export { type MakeSnapshotOptions, makeSnapshot, type SnapshotResult } from './compaction/make-snapshot.ts'
export { runMerge } from './compaction/merge.ts'
export type { MergeRunOptions } from './compaction/merge-inputs.ts'
export {
  type CompactionPlan,
  type CompactionPolicy,
  type Merge,
  planCompaction,
  planSnapshot,
  type SnapshotPolicy,
} from './compaction/plan-compaction.ts'
export { type CompactionSurveyOptions, surveyCompaction } from './compaction/survey.ts'
export {
  isReplicaError,
  ReplicaError,
  type ReplicaErrorCode,
  type ReplicaErrorOptions,
} from './errors.ts'
export { type ForkOptions, type ForkResult, forkReplica } from './fork.ts'
export { findGaps } from './gaps.ts'
export type {
  Generation,
  GenerationCatalog,
  SegmentObject,
  SnapshotObject,
} from './generations/generation-catalog.ts'
export { type GenerationPlan, type GenerationTarget, planGeneration } from './generations/plan-generation.ts'
export { type RestoreGenerationOptions, restoreGeneration } from './generations/restore-generation.ts'
export type { Identity } from './identity.ts'
export { inOrder } from './in-order.ts'
export { type Layout, LEASE_KEY, ltxKey, OWN_PREFIX, type ParsedKey, parseLTXKey } from './layout.ts'
export { assumeSoleWriter, type Epoch, type Lease } from './lease.ts'
export { withNewestFiles } from './newest-files.ts'
export { type ContinuationPlan, planContinuation } from './plan-continuation.ts'
export { type PlannedRestore, planFromCatalog } from './plan-from-catalog.ts'
export { type PlanRestoreOptions, planRestore, type RestorePlan, type RestoreTarget } from './plan-restore.ts'
export { isWorthPool, type MakePool } from './pool.ts'
export { proveRestorable } from './prove-restorable.ts'
export { type ProvenRestore, readProof, writeProof } from './proven-record.ts'
export { type AbortOptions, Replica, type ReplicaOptions } from './replica.ts'
export {
  type LoadedFile,
  type LoadOptions,
  loadFile,
  loadNextCapture,
} from './restore/load-file.ts'
export { PageSet } from './restore/page-set.ts'
export type {
  DatabaseShape,
  PageSink,
  Progress,
  RestoreBase,
  RestoredImage,
  RestoreResult,
  WrittenPages,
} from './restore/page-sink.ts'
export { type RestoreOptions, restore } from './restore/restore.ts'
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
export { type RestorePoint, restorablePoints } from './retention/promises.ts'
export { type RetainOptions, type RetentionResult, retain } from './retention/retain.ts'
export { type Survey, type SurveyOptions, surveyRetention } from './retention/survey.ts'
export { withoutRemains } from './retention/without-remains.ts'
export { withPointTimes } from './timestamps.ts'
export { TXIDWaiters } from './txid-waiters.ts'
export { type Finding, type VerifyOptions, verify } from './verify.ts'
export type { PutFileOptions, ReplicaWriter } from './writer.ts'
