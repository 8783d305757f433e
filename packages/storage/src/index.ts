export * from './blob-store.ts'
export {
  abortable,
  type Body,
  BodyReader,
  type BodySource,
  collectBody,
  concatBytes,
  createBody,
  discardBody,
  type RelayHooks,
  readBody,
  relayBody,
} from './body.ts'
export { closest } from './closest.ts'
export { type BlobAddress, copyBlob } from './copy-blob.ts'
export type { OpenOptions, StorageDriver } from './driver.ts'
export * from './errors.ts'
export type {
  AppliedButFailedFault,
  CutListFault,
  DelayFault,
  FailFault,
  Fault,
  FaultError,
  FaultTarget,
  FiredFault,
  IgnorePreconditionFault,
  NotAppliedFault,
  PartialFault,
  ShuffleListFault,
  StaleListFault,
  TruncateFault,
} from './faults.ts'
export { holdsBody } from './holds-body.ts'
export { codeOfStatus } from './http-status.ts'
export * from './key.ts'
export { MemoryStore, type MemoryStoreOptions } from './memory.ts'
export { urlParameters } from './parameters.ts'
export { type BodyPartsOptions, bodyParts, partSize } from './parts.ts'
export { withPathLock } from './path-lock.ts'
export { type ConditionalPutReport, type ProbeOptions, probeConditionalPut } from './probe.ts'
export { type DecisivePut, type IdentifiedPut, putDecisively } from './put-decisively.ts'
export { type ByteInterval, checkRange, resolveRange } from './range.ts'
export { getBytes, type ResumeOptions, readResumable } from './read.ts'
export { redactText, redactUrl } from './redact.ts'
export { type CopyRelay, relayCopy } from './relay-copy.ts'
export { pause, pauseRandomly, type RetryOptions, retryTransient } from './retry.ts'
export { rfc3339 } from './rfc3339.ts'
export { Slots, type SlotsOptions } from './slots.ts'
export { type PullableStream, StreamReader, type StreamReaderOptions } from './stream-reader.ts'
export { type FolderEntry, type WalkedEntry, type WalkOptions, walkFolders } from './walk.ts'
export { withConcurrency } from './with-concurrency.ts'
export { type FaultyStore, withFaults } from './with-faults.ts'
export { type StorageOperation, withObserver } from './with-observer.ts'
export { withPrefix } from './with-prefix.ts'
export { type TimeLimit, withinTime } from './within-time.ts'
