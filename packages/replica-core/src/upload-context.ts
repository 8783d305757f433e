import type { TXIDRange } from '@sqlstream/ltx'
import type { Level, LTXFile, ReplicaWriter } from '@sqlstream/replica'
import type { Slots } from '@sqlstream/storage'
import type { PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { BatchLimits } from './plan-batch.ts'
import type { CaptureState } from './state/capture-state.ts'

/** What an uploader works with. */
export interface UploaderContext {
  readonly writer: ReplicaWriter
  /** Whose files are uploaded. */
  readonly captureState: Pick<CaptureState, 'spool' | 'synced' | 'acknowledge'>
  readonly emit: PrimaryListener
  readonly failpoint?: FailpointHook | undefined
  /** When what waits is merged. Default: see {@link BatchLimits}. */
  readonly batches?: BatchLimits | undefined
  /** Shared with other databases. Default: no limit. */
  readonly slots?: Slots | undefined
  /** Of the files that are read to be put. Default: no limit. */
  readonly memory?: Slots | undefined
  /** Whose file lies where ours was to go. */
  readonly judge: (level: Level, range: TXIDRange, signal: AbortSignal) => Promise<'late' | 'foreign'>
  /** Called after each file, with its bytes if they were read at once. */
  readonly onUploaded?: ((file: LTXFile, bytes?: Uint8Array) => void) | undefined
  /** Called once, when another writer was met. */
  readonly onFenced: (error: Error) => void
  /**
   * Called when a former writer's file lies where ours was to go, although the lease is ours: discard the queue, which waits for
   * that, and take a snapshot above it.
   */
  readonly onLate: (error: Error) => void
  /** Called when a spooled file is gone or damaged, after the queue was dropped: take a snapshot. */
  readonly onLost: (error: Error) => void
}
