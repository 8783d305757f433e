import type { ReplicationEvent } from './events.ts'
import type { ClosedDatabase, DatabaseStatus, Position } from './report.ts'
import type { Wire } from './wire.ts'

/** Grows with each change that the other side would misunderstand: an upgrade may put a newer engine beside an older application. */
export const PROTOCOL = 1

/** An error as it crosses. */
export interface WireError {
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** What the engine can be asked, and what it answers. */
export interface Calls {
  readonly durable: {
    readonly in: { readonly database?: string; readonly one?: boolean }
    readonly out: readonly Position[]
  }
  readonly sync: {
    readonly in: { readonly database?: string; readonly one?: boolean }
    readonly out: readonly Position[]
  }
  readonly status: { readonly in: Record<never, never>; readonly out: readonly DatabaseStatus[] }
  readonly close: { readonly in: { readonly timeoutMs: number }; readonly out: readonly ClosedDatabase[] }
}
export type CallName = keyof Calls

/** What the engine is started with. */
export interface StartMessage {
  readonly type: 'start'
  /** Of the shape of `sqlstream.yml`. */
  readonly config: unknown
  /** The configuration is one database or one folder, and errors name its keys without the list around them. */
  readonly short: boolean
  /** Absolute; relative paths are relative to it. */
  readonly folder: string
  /** How long uploads may go on when the application is gone. */
  readonly orphanMs: number
}

/** From the application to the engine. */
export type ToEngine =
  | StartMessage
  | { readonly type: 'call'; readonly id: number; readonly name: CallName; readonly arguments: unknown }
  /** Nobody waits for the answer any more. */
  | { readonly type: 'abort'; readonly id: number }

/** From the engine to the application. */
export type FromEngine =
  | { readonly type: 'hello'; readonly version: number }
  | { readonly type: 'started'; readonly databases: readonly string[] }
  /** It ends. `transient`: the same start may succeed later. */
  | { readonly type: 'refused'; readonly error: WireError; readonly transient: boolean }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError }
  | { readonly type: 'event'; readonly event: Wire<ReplicationEvent> }
