/** Which database an event is about. */
interface Source {
  /** When the engine told it. */
  readonly time: Date
  /** Absolute path. */
  readonly database: string
  /** URL without credentials. */
  readonly replica: string
}

/** A file of a replica. */
export interface EventFile {
  readonly name: string
  readonly level: number
  readonly minTXID: bigint
  readonly maxTXID: bigint
  /** Bytes. */
  readonly size: number
  readonly modified: Date
  readonly timestamp?: Date | undefined
}

interface EventPosition {
  readonly txid: bigint
  readonly postApplyChecksum: bigint
}

interface EventError {
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
}

/** Work on a file that has ended. */
type FileEvent<Type extends string, More = unknown> = Source & {
  readonly type: Type
  readonly file: EventFile
  readonly bytes: number
  readonly milliseconds: number
} & More

/** What happens to one database. */
export type DatabaseEvent =
  | (Source & { readonly type: 'state'; readonly from: string; readonly to: string })
  | (Source & {
      readonly type: 'captured'
      readonly pos: EventPosition
      readonly pages: number
      readonly bytes: number
      readonly milliseconds: number
    })
  | FileEvent<'uploaded'>
  | FileEvent<'snapshotted'>
  | FileEvent<'compacted', { readonly inputs: number }>
  | (Source & { readonly type: 'snapshot-started'; readonly txid: bigint; readonly reason: string })
  | (Source & {
      readonly type: 'snapshot-progress'
      readonly pages: number
      readonly totalPages: number
    })
  | (Source & {
      readonly type: 'retained'
      readonly removed: number
      readonly bytes: number
      readonly oldest?: { readonly txid: bigint; readonly timestamp: Date } | undefined
    })
  | (Source & {
      readonly type: 'verified'
      readonly txid: bigint
      readonly bytes: number
      readonly milliseconds: number
    })
  | (Source & {
      readonly type: 'verification-skipped'
      readonly txid: bigint
      readonly needed: number
      readonly left: number
      readonly bytesPerDay: number
      readonly nextAt: Date
    })
  | (Source & {
      readonly type: 'resynced'
      readonly pos: EventPosition
      readonly changedPages: number
      readonly reason: string
      readonly milliseconds: number
    })
  | (Source & {
      /** Captures were given up for want of disk space. Nothing is backed up until the replica answers; then all pages are compared. */
      readonly type: 'given-up'
      readonly reason: string
      readonly files: number
      readonly bytes: number
      readonly freeBytes: number
    })
  | (Source & {
      readonly type: 'checkpointed'
      readonly mode: string
      readonly frames: number
      readonly barrierMs?: number | undefined
      readonly complete: boolean
    })
  | (Source & {
      readonly type: 'lease'
      readonly state: 'waiting' | 'acquired'
      readonly owner: string
      readonly epoch: bigint
      readonly expires: Date
      readonly ttlMs: number
    })
  | (Source & {
      readonly type: 'tail-kept'
      readonly folder: string
      readonly minTXID: bigint
      readonly maxTXID: bigint
      readonly files: number
    })
  | (Source & {
      readonly type: 'warning'
      readonly code: string
      readonly message: string
      readonly hint?: string | undefined
    })
  | (Source & {
      readonly type: 'failed'
      readonly operation: string
      readonly error: EventError
      readonly retryInMs?: number | undefined
    })
  /** Of a database in a folder: found, opened, at rest. */
  | (Source & { readonly type: 'member'; readonly state: string })

/** What happens in a folder beside its databases. */
export interface FolderEvent {
  readonly type: 'folder-warning'
  readonly time: Date
  readonly folder: string
  readonly path: string
  readonly code: string
  readonly message: string
}

/** What happens to the engine. */
export type EngineEvent =
  | { readonly type: 'engine-started'; readonly time: Date; readonly pid: number }
  | {
      /** Calls that wait go on waiting for the next one. */
      readonly type: 'engine-died'
      readonly time: Date
      readonly pid?: number | undefined
      /** How it ended: a signal, an exit code, or what kept it from starting. */
      readonly reason: string
      readonly restartInMs: number
    }
  | {
      /** It died again and again. Calls are rejected until it runs again; it is tried for as long as the replication is open. */
      readonly type: 'engine-failing'
      readonly time: Date
      readonly error: EventError
    }
  | {
      /** The application was slower than the events: so many that only repeat or count were left out. */
      readonly type: 'events-skipped'
      readonly time: Date
      readonly count: number
    }

/** A month would take more calls of stores than `limits.monthlyRequests`, if it goes on as in the last day. */
export interface RequestBudgetEvent {
  readonly type: 'request-budget'
  readonly time: Date
  readonly perMonth: number
  readonly budget: number
  /** The operation that is called most, and its part of the whole, from 0 to 1. */
  readonly operation: string
  readonly share: number
}

/** What a replication tells. More types may come: ignore those that you do not know. */
export type ReplicationEvent = DatabaseEvent | FolderEvent | RequestBudgetEvent | EngineEvent
