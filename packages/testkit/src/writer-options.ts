/** What a writer may do between two of its numbered commits, each with a probability from 0 to 1. */
export interface WriterMix {
  /** Rows of some 20 KiB to 200 KiB in `log` instead of up to 400 bytes. */
  readonly largeRow: number
  /** In the numbered transaction: inserts, updates and deletes in a table with two indexes. */
  readonly insert: number
  readonly update: number
  readonly delete: number
  /** In the numbered transaction: some 1,000 rows, half a MiB. */
  readonly bulk: number
  /** The same with a page cache of 8 pages, so that frames are written and rewritten before the commit. */
  readonly spill: number
  /** A transaction of its own that is rolled back, with a small cache, so that its frames reach the WAL. */
  readonly rollback: number
  /** In the numbered transaction: a table or an index comes or goes. */
  readonly schema: number
  readonly vacuum: number
  readonly checkpointPassive: number
  readonly checkpointFull: number
  readonly checkpointRestart: number
  readonly checkpointTruncate: number
}

/** Numbered small rows and nothing else. */
export const PLAIN_MIX: WriterMix = {
  largeRow: 0,
  insert: 0,
  update: 0,
  delete: 0,
  bulk: 0,
  spill: 0,
  rollback: 0,
  schema: 0,
  vacuum: 0,
  checkpointPassive: 0,
  checkpointFull: 0,
  checkpointRestart: 0,
  checkpointTruncate: 0,
}

/** Everything that an application may do to a replicator. */
export const HOSTILE_MIX: WriterMix = {
  largeRow: 0.01,
  insert: 0.3,
  update: 0.2,
  delete: 0.1,
  bulk: 0.005,
  spill: 0.005,
  rollback: 0.01,
  schema: 0.01,
  vacuum: 0.001,
  checkpointPassive: 0.003,
  checkpointFull: 0.001,
  checkpointRestart: 0.001,
  checkpointTruncate: 0.001,
}

/** How a writer process behaves. All of it goes to the process as JSON. */
export interface WriterOptions {
  /** Database file; created when absent. */
  readonly database: string
  /** Text file that gets one line with the number of each commit, after the commit returned. */
  readonly commitLog: string
  /** Commits a second. Default: as many as possible. */
  readonly rate?: number
  /** Numbered commits after which the process ends by itself. Default: never. */
  readonly commits?: number
  /** Same seed and same database, same statements. Default 1. */
  readonly seed?: number
  /** Probabilities that differ from {@link PLAIN_MIX}. */
  readonly mix?: Partial<WriterMix>
  /** For a new database. Default 4096. */
  readonly pageSize?: number
  /** For a new database. Default 'none'. */
  readonly autoVacuum?: 'none' | 'full' | 'incremental'
  /** Default 'NORMAL'. */
  readonly synchronous?: 'OFF' | 'NORMAL' | 'FULL'
  /** WAL frames after which SQLite checkpoints at a commit; 0 never. Default 1000, as SQLite's. */
  readonly autoCheckpoint?: number
  /** Default 5000. */
  readonly busyTimeoutMs?: number
  /** Whether each line of the commit log is synced to disk. Default false: a kill loses no written line. */
  readonly syncCommitLog?: boolean
}

/** What a writer that was stopped tells about its life. */
export interface WriterReport {
  /** Numbered commits of this process. */
  readonly commits: number
  readonly milliseconds: number
  /** Time of one numbered transaction, BEGIN to COMMIT, over the last 200,000, in milliseconds. */
  readonly latency: {
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly p999: number
    readonly max: number
  }
  /** Transactions that met SQLITE_BUSY in spite of the busy timeout, and were repeated. */
  readonly busy: number
  readonly rollbacks: number
  readonly vacuums: number
  readonly schemaChanges: number
  /** Calls of `wal_checkpoint` by this process: made, and those that reported busy. */
  readonly checkpoints: number
  readonly checkpointsBusy: number
}
