import type { Checksum, TXID } from '@sqlstream/ltx'
import type { Replica } from '@sqlstream/replica'

/** What a local copy holds. */
export interface CopyState {
  readonly txid: TXID
  /** Milliseconds since the Unix epoch. */
  readonly time: number
  /** Of all pages. */
  readonly checksum: Checksum
}

/** A copy of the database that can be brought on to newer states. */
export interface Copy {
  readonly state: CopyState
  /**
   * Looks for a newer state, everywhere or by the cheapest way that is due, and resolves with whether there was one. Then there may be more.
   *
   * @throws FollowerError when the copy cannot go on ever; the store's errors, ReplicaError; errors of this machine, after which the copy is as before
   */
  look(everywhere: boolean): Promise<boolean>
  close(): Promise<void>
}

/** What a copy is opened with. */
export interface OpenCopyOptions {
  readonly replica: Replica
  /** Makes a change when nobody reads the copy. */
  readonly exclusively: <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>
  readonly signal: AbortSignal
}
