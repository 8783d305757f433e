import type { TXID } from '@sqlstream/ltx'
import type { AbortOptions, Replica } from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import type { ReadAheadOptions } from './pages/read-ahead.ts'

/** A state of the past: the one after a transaction, or the last one whose time is not after an instant. */
export type At =
  | { readonly txid: TXID; readonly time?: never }
  | { readonly time: Date; readonly txid?: never }

/** How a replica looks for new states. */
export interface PollOptions {
  /** Between two looks, ms. Default 500: with uploads each second a commit is seen within 1.5 s. */
  readonly intervalMs?: number | undefined
  /**
   * `probe` (default) asks for the next capture by its name, which costs the least, and lists now and then; `list` lists each time, for stores where
   * asking for what is not there costs more.
   */
  readonly method?: 'probe' | 'list' | undefined
  /** With `probe`: how often to list the captures as well, ms. Default 30,000. */
  readonly listMs?: number | undefined
}

/** What a replica keeps in memory and asks for in advance. */
export interface CacheOptions {
  /** Bytes of decoded pages, for all states together. Default 32 MiB. SQLite keeps up to half as many for each connection, 16 MiB at most. */
  readonly bytes?: number | undefined
  readonly readAhead?: ReadAheadOptions | undefined
}

/** How a backup is opened. */
export interface OpenOptions extends AbortOptions {
  /** Where the backup is. The caller closes it, after the replica. */
  readonly store?: BlobStore | undefined
  /** Instead of `store`: for a layout other than that of the store's driver. */
  readonly replica?: Replica | undefined
  /** A fixed state. Default: the newest one, followed. */
  readonly at?: At | undefined
  /** `false`: only `refresh`, `waitFor` and `maxLagMs` look for new states. Default: twice a second. */
  readonly poll?: PollOptions | false | undefined
  readonly cache?: CacheOptions | undefined
  /**
   * Queries of the newest state look for a newer one first, and fail with `stale` if they cannot, when it is longer ago than this that the state
   * was known to be the newest, ms. Default: no limit.
   */
  readonly maxLagMs?: number | undefined
}

/** What was read and asked for, since the replica was opened. */
export interface ReplicaStats {
  /** Calls of the store. */
  readonly requests: number
  /** Bytes that the store gave. */
  readonly bytes: number
  /** Pages that SQLite found in the cache, and that it did not. */
  readonly hits: number
  readonly misses: number
  /** Bytes of the pages in the cache. */
  readonly cachedBytes: number
  /** How long SQLite stood still for the store, ms. */
  readonly waitMs: number
}

/** Which state a replica shows. */
export interface Position {
  readonly txid: TXID
  /** When it was committed, by the writer's clock. */
  readonly time: Date
}

/** What listeners get. */
export interface ReplicaEvents {
  /** A newer state is shown from now on. */
  readonly advance: Position
  /** Queries are answered by the local copy from now on. Again after each time they were not. */
  readonly hydrated: Position
  /** Newer states could not be learnt of, and it is tried again; or the local copy failed, and queries go to the backup. */
  readonly error: unknown
}

/** Options of `waitFor`. */
export interface WaitForOptions extends AbortOptions {
  /** Then it rejects with `timed-out`, ms. Default: none. */
  readonly timeoutMs?: number | undefined
}
