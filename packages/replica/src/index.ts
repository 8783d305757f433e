export { type Catalog, createCatalog, headOf, type Level, type LTXFile, SNAPSHOT_LEVEL } from './catalog.ts'
export { restorableTXIDs } from './chain.ts'
export {
  isReplicaError,
  ReplicaError,
  type ReplicaErrorCode,
  type ReplicaErrorOptions,
} from './errors.ts'
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
export { type Layout, LEASE_KEY, ltxKey, OWN_PREFIX, type ParsedKey, parseLTXKey } from './layout.ts'
export { assumeSoleWriter, type Epoch, type Lease } from './lease.ts'
export { withNewestFiles } from './newest-files.ts'
export type { PageSink, RestoredImage, SinkPages } from './page-sink.ts'
export { planRestore, type RestorePlan, type RestoreTarget } from './plan-restore.ts'
export { isWorthPool, type MakePool } from './pool.ts'
export { type AbortOptions, Replica, type ReplicaOptions } from './replica.ts'
export { type Progress, type RestoreOptions, type RestoreResult, restore } from './restore.ts'
export { type Finding, type VerifyOptions, verify } from './verify.ts'
export type { PutFileOptions, ReplicaWriter } from './writer.ts'
