export type {
  DatabaseEvent,
  EngineEvent,
  EventFile,
  FolderEvent,
  ReplicationEvent,
  RequestBudgetEvent,
} from './events.ts'
export type {
  ConfigObject,
  Duration,
  FolderSettings,
  LimitSettings,
  MaintenanceSettings,
  OneDatabase,
  OneFolder,
  ReplicaSettings,
  ReplicateConfig,
  ReplicateOptions,
  RestartPolicy,
} from './options.ts'
export { replicate } from './replicate.ts'
export type { CloseOptions, DatabaseOptions, Replication, WaitOptions } from './replication.ts'
export { type EngineErrorCode, isReplicationError, ReplicationError } from './replication-error.ts'
export type {
  ClosedDatabase,
  CloseReport,
  DatabaseStatus,
  Position,
  ReplicationStatus,
} from './report.ts'
