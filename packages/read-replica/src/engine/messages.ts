import type { TXID } from '@sqlstream/ltx'
import type { ReadAheadOptions } from '../pages/read-ahead.ts'
import type { ViewUpdate } from '../view/view-update.ts'
import type { PackedSets } from './packed-rows.ts'
import type { SqliteOrigin } from './sqlite-module.ts'

/** A value that SQLite takes or gives. */
export type SqlValue = null | number | bigint | string | Uint8Array

/** Values for the parameters of a statement: by position, or by name with or without its first character. */
export type SqlParams =
  | readonly (SqlValue | boolean | undefined)[]
  | Readonly<Record<string, SqlValue | boolean | undefined>>

/** One statement. */
export interface Statement {
  readonly sql: string
  readonly params?: SqlParams | undefined
}

/** What the thread of SQLite is started with. */
export interface EngineOptions extends SqliteOrigin {
  /** Bytes of decoded pages, for all connections together. */
  readonly cacheBytes: number
  readonly readAhead: ReadAheadOptions
  /** Memory that both sides share; without it this thread fetches by itself. */
  readonly shared: SharedArrayBuffer | undefined
}

/** A state, as the functions in SQL tell it. */
export interface ShownState {
  readonly txid: TXID
  /** Milliseconds since the Unix epoch. */
  readonly time: number
}

/** What is asked of the thread of SQLite. All but `view` and `forget` are answered, in their order. */
export type EngineRequest =
  | { readonly type: 'start'; readonly call: number; readonly options: EngineOptions }
  /** A connection of its own, at a state or at that of another session. */
  | {
      readonly type: 'open'
      readonly call: number
      readonly session: number
      readonly at: ViewUpdate | number
    }
  | { readonly type: 'view'; readonly session: number; readonly update: ViewUpdate }
  /** No update will build on this snapshot any more. */
  | { readonly type: 'forget'; readonly base: number }
  /** Runs statements at one state. */
  | {
      readonly type: 'run'
      readonly call: number
      readonly session: number
      readonly statements: readonly Statement[]
      /** Until when the state is known to be the newest, ms; undefined where that does not matter. */
      readonly confirmed: number | undefined
      /** Of a local copy: the state that it has. */
      readonly shown?: ShownState | undefined
    }
  /** Begins a statement whose rows are fetched by `next`; a session has one at a time. */
  | {
      readonly type: 'begin'
      readonly call: number
      readonly session: number
      readonly statement: Statement
      readonly confirmed: number | undefined
      /** Of a local copy: the state that it has. */
      readonly shown?: ShownState | undefined
    }
  | { readonly type: 'next'; readonly call: number; readonly session: number }
  | { readonly type: 'close'; readonly call: number; readonly session: number }

/** Rows as arrays, and the names once. */
export interface RowSet {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly SqlValue[])[]
}

/** Rows of several statements: packed, or as they are where that costs nothing more. */
export type RowSets = PackedSets | readonly RowSet[]

/** Why a call failed. */
export type EngineFailure =
  | { readonly kind: 'sql'; readonly message: string; readonly sqliteCode: string }
  /** The error is kept on the other side. */
  | { readonly kind: 'fetch'; readonly failure: number }
  /** Files were removed as fast as others were found for the state. */
  | { readonly kind: 'gone' }
  /** Other files for the state have to be found, and the call made again. */
  | { readonly kind: 'replan'; readonly txid: bigint; readonly file: number }
  | { readonly kind: 'store'; readonly message: string; readonly file: number }
  | { readonly kind: 'corrupt'; readonly message: string; readonly file: number }
  | { readonly kind: 'open-transaction' }
  | { readonly kind: 'usage'; readonly message: string }
  | { readonly kind: 'bug'; readonly message: string; readonly stack: string }

/** What was read so far. */
export interface EngineStats {
  readonly hits: number
  readonly misses: number
  readonly cachedBytes: number
  readonly waitMs: number
}

/** An answer. */
export interface EngineReply {
  readonly type: 'reply'
  readonly call: number
  readonly sets: RowSets
  /** Of `next`: there are no more rows. */
  readonly isLast: boolean
  readonly error?: EngineFailure
  readonly stats: EngineStats
}
