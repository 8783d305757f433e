import type { ReplicationEvent } from './events.ts'

/** A number and a unit, as in the configuration file: `500ms`, `1s`, `24h`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** Merging, retention and verification. */
export interface MaintenanceSettings {
  /** Span of the files of each merged level, level 1 first. Default `['30s', '5m', '1h']`. */
  readonly levels?: readonly Duration[] | 'never' | undefined
  /** When a snapshot is made of what the replica holds. */
  readonly snapshots?:
    | 'never'
    | { readonly growth?: number | undefined; readonly maxAge?: Duration | undefined }
    | undefined
  /** What stays restorable; `never`: nothing is removed. */
  readonly retention?:
    | 'never'
    | {
        readonly keep?:
          | readonly { readonly every: 'capture' | Duration; readonly for: Duration | 'forever' }[]
          | undefined
        readonly grace?: Duration | undefined
        readonly minSnapshots?: number | undefined
      }
    | undefined
  /** How often the newest state is read and proven restorable. `budget` is bytes in 24 hours, such as `10GB`. Default `never`. */
  readonly verify?: 'never' | { readonly every?: Duration | undefined; readonly budget: string } | undefined
}

/** What all databases of an engine may take together. Sizes are a number and a unit, such as `2GB`. */
export interface LimitSettings {
  /** Disk space for captures that wait for their upload; beyond it they are given up (event `given-up`). Default: half of what is free. */
  readonly spool?: string | undefined
  /** Disk space that is left to the application. Default: a twentieth of the disk, 256MiB at most. */
  readonly diskReserve?: string | undefined
  /** Files that are uploaded at once. Default 64. */
  readonly uploads?: number | undefined
  /** Databases whose files are merged and removed at once. Default 4. */
  readonly merges?: number | undefined
  /** Files that are in memory to be uploaded. Default `256MiB`. */
  readonly uploadMemory?: string | undefined
  /** Calls of stores in a second; databases take turns. Default: no limit. */
  readonly requestsPerSecond?: number | undefined
  /** An event is told when a month would take more calls of stores (`request-budget`). Default: never. */
  readonly monthlyRequests?: number | undefined
}

/** How one database, or each of a folder, is replicated. */
export interface ReplicaSettings extends MaintenanceSettings {
  /** Longest time between a commit and its capture while nobody waits. Default `1s`. */
  readonly syncInterval?: Duration | undefined
  /** When the replica is ahead of the database. Default `refuse`. */
  readonly onBehind?: 'refuse' | 'snapshot' | undefined
  /** When the replica holds another history: the database was never replicated from here, or another writer has taken over. Default `refuse`. */
  readonly onDiverged?: 'refuse' | 'snapshot' | undefined
  readonly lease?:
    | {
        /** How long a writer that shows no life keeps others out. Default `30s`. */
        readonly ttl?: Duration | undefined
        /** You answer for it that nobody else writes there: for stores without conditional puts. Default false. */
        readonly soleWriter?: boolean | undefined
      }
    | undefined
  /** Options of the store, the same as query parameters of its URL. */
  readonly store?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Variables for the storage driver, credentials above all, over those of the engine. */
  readonly env?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** Which databases of a folder. */
export interface FolderSettings extends ReplicaSettings {
  /** Patterns of names, or of paths below the folder. Default: every database. */
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
  /** Folders in it too. Default true. */
  readonly recursive?: boolean | undefined
  /** Databases that may be open at once. Default 1000. */
  readonly maxOpen?: number | undefined
  /** A database that sees no commit for so long is let go until the next one. Default `1m`. */
  readonly restAfter?: Duration | undefined
}

/** One database. Relative paths are relative to the working folder. */
export interface OneDatabase extends ReplicaSettings {
  readonly database: string
  /** URL or path of the replica. */
  readonly url: string
  /** Folder for local state. Default `.<file>-sqlstream` beside the database. */
  readonly stateDir?: string | undefined
  readonly limits?: LimitSettings | undefined
  /** Packages with storage drivers that are not built in. */
  readonly drivers?: readonly string[] | undefined
}

/** Every database of a folder, also those that come later. */
export interface OneFolder extends FolderSettings {
  readonly folder: string
  /** With `{relpath}`, `{dir}`, `{name}` or `{stem}`; without any, `/{relpath}` is added. */
  readonly url: string
  readonly limits?: LimitSettings | undefined
  /** Packages with storage drivers that are not built in. */
  readonly drivers?: readonly string[] | undefined
}

/** The same as in `sqlstream.yml`. */
export interface ConfigObject extends MaintenanceSettings {
  readonly limits?: LimitSettings | undefined
  readonly drivers?: readonly string[] | undefined
  readonly databases?:
    | readonly (ReplicaSettings & {
        readonly path: string
        readonly url: string
        readonly stateDir?: string | undefined
      })[]
    | undefined
  readonly folders?: readonly (FolderSettings & { readonly path: string; readonly url: string })[] | undefined
}

/** What is replicated, and how. */
export type ReplicateConfig = OneDatabase | OneFolder | ConfigObject

/** How the engine is started again when it has died. */
export interface RestartPolicy {
  /** Before the first attempt, doubled with each that fails. Milliseconds, default 100. */
  readonly firstMs?: number
  /** Longest time between two attempts. Milliseconds, default 30,000. */
  readonly mostMs?: number
  /** An engine that ran for so long did not fail quickly. Milliseconds, default 60,000. */
  readonly steadyMs?: number
  /** After so many quick failures in a row calls are not kept waiting any more. Default 5. */
  readonly failures?: number
}

/** How the engine's process is run. */
export interface ReplicateOptions {
  /** Ends the start; afterwards it has no effect. */
  readonly signal?: AbortSignal | undefined
  /** Receives events from the first one on. Must be cheap; what it throws is ignored. */
  readonly onEvent?: ((event: ReplicationEvent) => void) | undefined
  /** The application may end while replication runs; calls that are waited for keep it alive. Default false. */
  readonly unref?: boolean | undefined
  /** The engine's environment. Default: that of this process without NODE_OPTIONS. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Options of Node for the engine. Default `['--max-semi-space-size=4']`, which saves up to 80 MB. Never those of this process. */
  readonly execArgv?: readonly string[] | undefined
  /** How long the engine goes on uploading when this process is gone without `close`. Milliseconds, default 30,000. */
  readonly orphanMs?: number | undefined
  readonly restart?: RestartPolicy | undefined
}
