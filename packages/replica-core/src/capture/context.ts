import type { Header, PageSize, Pos } from '@sqlstream/ltx'
import type { Level } from '@sqlstream/replica'
import type { FailpointHook } from '../failpoint.ts'
import type { DatabaseFiles } from '../sqlite/database-files.ts'
import type { Holder } from '../sqlite/holder.ts'
import type { WriteBarrier } from '../sqlite/write-barrier.ts'
import type { CaptureState } from '../state/capture-state.ts'
import type { WALPosition } from '../state/position.ts'
import type { SpoolFile } from '../state/spool.ts'

/** Everything that capture works with. */
export interface CaptureContext {
  readonly files: DatabaseFiles
  readonly holder: Holder
  readonly barrier: WriteBarrier
  readonly state: CaptureState
  readonly pageSize: PageSize
  /** Written as node id into every file. */
  readonly epoch: () => bigint
  /** The clock, ms. */
  readonly now: () => number
  readonly failpoint?: FailpointHook | undefined
  readonly cutBytes?: number | undefined
}

/** A level-0 file that a capture made. */
export interface CapturedFile {
  readonly file: SpoolFile
  readonly pos: Pos
  readonly pages: number
  /** Every frame of the WAL up to here is captured. */
  readonly wal: WALPosition
}

/** A snapshot of the live database, or what a replica lacks of it, readable as long as the holder does not move. */
export interface LiveSnapshot {
  /** Of the file that it becomes: that of snapshots, or 0. */
  readonly level: Level
  readonly header: Header
  readonly pages: number
  body(options: { signal?: AbortSignal; onPages?: (done: number) => void }): AsyncIterable<Uint8Array>
}
