/** A place in the history of a database. */
export interface Position {
  /** Absolute path. */
  readonly database: string
  /** Of the newest transaction up to here. */
  readonly txid: bigint
}

/** How the replication of one database stands. */
export interface DatabaseStatus {
  /** Absolute path. */
  readonly database: string
  /** URL without credentials. */
  readonly replica: string
  /** That of the engine: `idle`, `capturing`, `fenced` and so on; for one of a folder also `queued`, `resting`, `gone`. */
  readonly state: string
  readonly captured?: { readonly txid: bigint }
  readonly uploaded?: { readonly txid: bigint }
  /** Captured, but not in the replica. */
  readonly pendingFiles: number
  readonly lastError?: { readonly code: string; readonly message: string; readonly hint?: string }
}

/** How a replication stands. */
export interface ReplicationStatus {
  /**
   * - `running`: the engine is at work
   * - `restarting`: it has died and comes again; what is said of the databases is what was known last
   * - `failing`: it has died so often that calls are not kept waiting for it; it is tried again, ever more slowly
   * - `closed`
   */
  readonly state: 'running' | 'restarting' | 'failing' | 'closed'
  /** Of the engine's process, while there is one. */
  readonly pid?: number
  /** How often it was started again. */
  readonly restarts: number
  readonly databases: readonly DatabaseStatus[]
}

/** What is safe of one database when a replication has ended. */
export interface ClosedDatabase {
  /** Absolute path. */
  readonly database: string
  /** Everything that was captured is in the replica. */
  readonly complete: boolean
  /** Captured, but not in the replica: they stay beside the database and go up at the next start. Absent for one of a folder. */
  readonly pendingFiles?: number
}

/** What `close` has done, and what not. */
export interface CloseReport {
  /** True when everything that was committed is in the replicas. */
  readonly complete: boolean
  /** Of a folder those alone that are not complete. Empty when the engine could not be asked. */
  readonly databases: readonly ClosedDatabase[]
  /** Why the engine could not say. */
  readonly error?: Error
}
