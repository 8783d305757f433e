import type { Pos, TXID } from '@sqlstream/ltx'
import type { Epoch, LTXFile } from '@sqlstream/replica'
import type { GiveUpReason } from './plan-disk.ts'
import type { SnapshotReason } from './plan-start.ts'
import type { CheckpointMode } from './sqlite/checkpointer.ts'
import type { WALPosition } from './state/position.ts'
import type { PrimaryState } from './state-machine.ts'

/** What a primary reports. Callbacks are synchronous and must be cheap; what they throw is ignored. */
export type PrimaryEvent =
  | { readonly type: 'state'; readonly from: PrimaryState; readonly to: PrimaryState }
  | {
      readonly type: 'lease'
      /** `waiting`: another writer has it, by whom and until when the rest tells; `acquired`: it is ours. */
      readonly state: 'waiting' | 'acquired'
      readonly owner: string
      readonly epoch: Epoch
      /** By the holder's clock, RFC 3339. */
      readonly expires: string
      readonly ttlMs: number
    }
  | {
      /** Captured transactions that are no part of the replica's history any more were moved aside. */
      readonly type: 'tail-kept'
      readonly folder: string
      readonly minTXID: TXID
      readonly maxTXID: TXID
      readonly files: number
    }
  | {
      readonly type: 'captured'
      readonly pos: Pos
      readonly pages: number
      /** Of the file that was made. */
      readonly bytes: number
      readonly milliseconds: number
      /** Every frame of the WAL up to here is in this file or in one before it. */
      readonly wal: WALPosition
    }
  | {
      readonly type: 'uploaded'
      readonly file: LTXFile
      readonly bytes: number
      /** How many captures are in it: more than one where many had to wait. */
      readonly captures: number
      readonly milliseconds: number
    }
  | { readonly type: 'snapshot-started'; readonly txid: TXID; readonly reason: SnapshotReason }
  | { readonly type: 'snapshot-progress'; readonly pages: number; readonly totalPages: number }
  | {
      readonly type: 'snapshotted'
      readonly file: LTXFile
      readonly bytes: number
      readonly milliseconds: number
    }
  | {
      /** Files were merged into one, of a higher level; level 9 is a snapshot. */
      readonly type: 'compacted'
      readonly file: LTXFile
      readonly inputs: number
      readonly bytes: number
      readonly milliseconds: number
    }
  | {
      /** Files that nothing promised needs were removed. */
      readonly type: 'retained'
      readonly removed: number
      readonly bytes: number
      /** The oldest state that can be restored when all that is marked by now is gone. */
      readonly oldest?: { readonly txid: TXID; readonly timestamp: Date }
    }
  | {
      /** The newest state was read from the replica, page by page, and is what was captured. */
      readonly type: 'verified'
      readonly txid: TXID
      /** That were read. */
      readonly bytes: number
      readonly milliseconds: number
    }
  | {
      /** Reading the newest state would take more bytes than the budget allows now. */
      readonly type: 'verification-skipped'
      readonly txid: TXID
      /** Bytes of the files that would be read. */
      readonly needed: number
      readonly left: number
      readonly bytesPerDay: number
      /** When it is looked at again. */
      readonly nextAt: Date
    }
  | {
      readonly type: 'resynced'
      readonly pos: Pos
      readonly changedPages: number
      readonly reason: string
      readonly milliseconds: number
    }
  | {
      /**
       * For want of disk space, captures that waited for their upload were given up, and nothing is captured until the replica can be
       * reached; then all pages are compared (`resynced`). What was committed meanwhile is not backed up.
       */
      readonly type: 'given-up'
      readonly reason: GiveUpReason
      /** What was removed from the spool. */
      readonly files: number
      readonly bytes: number
      /** Of the disk, before that. */
      readonly freeBytes: number
    }
  | {
      readonly type: 'checkpointed'
      readonly mode: CheckpointMode
      /** Frames that were copied into the database file. */
      readonly frames: number
      /** How long writers were kept out; absent when they were not. */
      readonly barrierMs?: number
      /** True when the WAL can be restarted by the next write. */
      readonly complete: boolean
    }
  | {
      readonly type: 'warning'
      readonly code: 'application-engine' | 'no-file-events' | 'large-wal' | 'files-replaced'
      readonly message: string
      readonly hint?: string
    }
  | {
      readonly type: 'failed'
      readonly operation:
        | 'capture'
        | 'upload'
        | 'checkpoint'
        | 'snapshot'
        | 'compaction'
        | 'retention'
        | 'verification'
      readonly error: Error
      readonly retryInMs?: number
    }

/** Receives events. */
export type PrimaryListener = (event: PrimaryEvent) => void

/** Hands an event to a listener. What it throws is ignored: its mistake must not stop a backup. */
export function tell<Event>(listener: ((event: Event) => void) | undefined, event: Event): void {
  try {
    listener?.(event)
  } catch {
    // See above.
  }
}
