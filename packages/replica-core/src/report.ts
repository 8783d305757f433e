import type { Pos, TXID } from '@sqlstream/ltx'
import type { Backlog } from './backlog.ts'
import type { Replication } from './replication.ts'
import type { PrimaryState } from './state-machine.ts'

/** How replication stands. */
export interface PrimaryStatus {
  readonly database: string
  readonly state: PrimaryState
  readonly captured?: Pos
  /** Everything up to here is in the replica. */
  readonly uploaded?: TXID
  readonly pendingFiles: number
  readonly pendingBytes: number
  /** Frames in the current generation of the WAL. */
  readonly walFrames: number
  /**
   * When the oldest commit that the replica lacks was first seen, ms since the epoch; absent when it lacks none. A database that cannot
   * be read, or whose replica another writer has, counts as behind since that began at the latest.
   */
  readonly unreplicatedSince?: number
  /** When the newest state was last proven restorable, ms since the epoch; absent where that is not known. */
  readonly provenAt?: number
  readonly lastError?: Error
}

/** What `Primary.close` left behind. */
export interface CloseReport {
  readonly captured?: Pos
  readonly uploaded?: TXID
  /** Captured, but not in the replica: they stay in the spool and go up at the next start. */
  readonly pendingFiles: number
  /** Captures were given up for want of disk space, and all pages have to be compared at the next start. */
  readonly givenUp?: true
}

/** Whether everything that was committed is in the replica. */
export function isComplete({ captured, uploaded, pendingFiles, givenUp }: CloseReport): boolean {
  return givenUp === undefined && pendingFiles === 0 && uploaded === captured?.txid
}

/** What a replication leaves behind if it ends now. */
export function reportOf({ pos, uploader, suspension }: Replication): CloseReport {
  return {
    ...(pos && { captured: pos }),
    ...(uploader.uploaded !== undefined && { uploaded: uploader.uploaded }),
    pendingFiles: uploader.pendingFiles,
    ...(suspension.error !== undefined && { givenUp: true }),
  }
}

/** How a replication stands. */
export function statusOf(database: string, replication: Replication, { since }: Backlog): PrimaryStatus {
  const { state, pos, uploader, lastError, attachment, maintenance } = replication
  const provenAt = maintenance?.provenAt
  return {
    database,
    state,
    ...(pos && { captured: pos }),
    ...(uploader.uploaded !== undefined && { uploaded: uploader.uploaded }),
    pendingFiles: uploader.pendingFiles,
    pendingBytes: uploader.pendingBytes,
    walFrames: attachment?.files.index().mxFrame ?? 0,
    ...(since !== undefined && { unreplicatedSince: since }),
    ...(provenAt !== undefined && { provenAt }),
    ...(lastError && { lastError }),
  }
}
