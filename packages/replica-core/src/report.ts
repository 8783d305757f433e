import type { Pos, TXID } from '@sqlstream/ltx'
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
  readonly lastError?: Error
}

/** What `Primary.close` left behind. */
export interface CloseReport {
  readonly captured?: Pos
  readonly uploaded?: TXID
  /** Captured, but not in the replica: they stay in the spool and go up at the next start. */
  readonly pendingFiles: number
}

/** Whether everything that was captured is in the replica. */
export function isComplete({ captured, uploaded, pendingFiles }: CloseReport): boolean {
  return pendingFiles === 0 && uploaded === captured?.txid
}
