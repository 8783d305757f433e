export type { RowSet, SqlParams, SqlValue } from './engine/messages.ts'
export {
  isReadReplicaError,
  ReadReplicaError,
  type ReadReplicaErrorCode,
  type ReadReplicaErrorOptions,
} from './errors.ts'
export type {
  At,
  CacheOptions,
  OpenOptions,
  PollOptions,
  Position,
  ReplicaEvents,
  ReplicaStats,
  WaitForOptions,
} from './options.ts'
export type { ReadAheadOptions } from './pages/read-ahead.ts'
export type { ReadReplica } from './read-replica.ts'
export type { Row } from './rows.ts'
export type { ReadTx } from './session-client.ts'
