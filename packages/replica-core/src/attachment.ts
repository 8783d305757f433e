import { isPageSize, type PageSize } from '@sqlstream/ltx'
import type { Lease } from '@sqlstream/replica'
import { isWALResetBugFixed } from '@sqlstream/wal'
import { Capture } from './capture/capture.ts'
import { CheckpointCycle } from './checkpoint-cycle.ts'
import { PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import type { PrimaryOptions } from './options.ts'
import type { Serial } from './serial.ts'
import type { Checkpointer, CheckpointMode, CheckpointResult } from './sqlite/checkpointer.ts'
import { DatabaseFiles } from './sqlite/database-files.ts'
import { versionText } from './sqlite/engine-gate.ts'
import { Holder } from './sqlite/holder.ts'
import type { SQLiteThreads } from './sqlite/sqlite-threads.ts'
import { WriteBarrier } from './sqlite/write-barrier.ts'
import type { CaptureState } from './state/capture-state.ts'

/** What an attachment shares with the rest of a primary. */
export interface AttachmentParts {
  readonly threads: SQLiteThreads
  readonly lease: Lease
  readonly captureState: CaptureState
  readonly serial: Serial
  /** Captures everything visible; called inside `serial`. */
  readonly capture: () => Promise<void>
  readonly emit: PrimaryListener
  /** Learns how long writers were kept out, each time, ms. */
  readonly onWriteLock?: ((milliseconds: number) => void) | undefined
}

/** Everything that is open while a database is attached, and the order in which it closes. */
export class Attachment {
  readonly files: DatabaseFiles
  readonly holder: Holder
  readonly barrier: WriteBarrier
  readonly checkpointer: Checkpointer
  readonly capture: Capture
  readonly cycle: CheckpointCycle
  readonly pageSize: PageSize
  readonly #onWriteLock: (milliseconds: number) => void
  #closed = false

  constructor(options: PrimaryOptions, parts: AttachmentParts) {
    const { failpoint } = options
    const files = DatabaseFiles.open(options.database)
    let holder: Holder | undefined
    try {
      this.pageSize = checkDatabase(files, parts.emit)
      holder = new Holder(files, failpoint)
      holder.attach()
      files.openIndex()
    } catch (error) {
      holder?.close()
      files.close()
      throw error
    }
    const { pageSize } = this
    const { checkpointer } = parts.threads
    const { maxBarrierMs = 40 } = options
    const { onWriteLock = () => undefined } = parts
    const barrier = new WriteBarrier(options.database, maxBarrierMs, parts.threads.barrier, onWriteLock)
    this.#onWriteLock = onWriteLock
    this.files = files
    this.holder = holder
    this.barrier = barrier
    this.checkpointer = checkpointer
    this.capture = new Capture({
      files,
      holder,
      barrier,
      state: parts.captureState,
      pageSize,
      epoch: () => parts.lease.epoch,
      now: options.now ?? Date.now,
      failpoint,
      cutBytes: options.cutBytes,
    })
    this.cycle = new CheckpointCycle({
      ...parts,
      files,
      holder,
      barrier,
      checkpointer,
      pageSize,
      failpoint,
      thresholdFrames: options.checkpointFrames ?? 1000,
    })
  }

  /** Checkpoints, in turn with what else is done with the database. A mode above `passive` keeps writers out. */
  async checkpoint(mode: CheckpointMode): Promise<CheckpointResult> {
    const result = await this.checkpointer.run(this.files.path, mode)
    if (result.heldMs > 0) this.#onWriteLock(result.heldMs)
    return result
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Read-write connections first, while the holder still makes sure that theirs is not the last
   * close; our descriptors last, since closing them drops SQLite's locks.
   */
  async close(): Promise<void> {
    this.#closed = true
    // Not awaited: a running cycle may wait for the very task that closes us.
    this.cycle.stop()
    await this.checkpointer.release(this.files.path)
    await this.barrier.close()
    this.holder.close()
    this.files.close()
  }
}

/** Refuses, before anything is opened or created, what can never be replicated. */
export function checkReplicable(database: string): void {
  const files = DatabaseFiles.open(database)
  try {
    checkDatabase(files, () => undefined)
  } finally {
    files.close()
  }
}

function checkDatabase(files: DatabaseFiles, emit: PrimaryListener): PageSize {
  const header = files.databaseHeader()
  if (header.journalMode !== 'wal') {
    throw new PrimaryError('not-wal-mode', `${files.path} is not in WAL mode`, {
      hint: 'Run PRAGMA journal_mode=WAL once; the setting stays with the database.',
    })
  }
  if (!isPageSize(header.pageSize)) throw new PrimaryError('not-a-database', `page size ${header.pageSize}`)
  if (header.sqliteVersion > 0 && !isWALResetBugFixed(header.sqliteVersion)) {
    emit({
      type: 'warning',
      code: 'application-engine',
      message: `the application writes with SQLite ${versionText(header.sqliteVersion)}, which can lose committed rows when two connections checkpoint`,
      hint: 'Update it to 3.51.3 or newer (sqlite.org/wal.html#walresetbug) and set wal_autocheckpoint=0 until then.',
    })
  }
  return header.pageSize
}
