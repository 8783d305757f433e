import { isPageSize, type PageSize } from '@sqlstream/ltx'
import { isWALResetBugFixed } from '@sqlstream/wal'
import { Capture } from './capture/capture.ts'
import { CheckpointCycle } from './checkpoint-cycle.ts'
import { PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { Serial } from './serial.ts'
import { Checkpointer } from './sqlite/checkpointer.ts'
import { DatabaseFiles } from './sqlite/database-files.ts'
import { versionText } from './sqlite/engine-gate.ts'
import { Holder } from './sqlite/holder.ts'
import { WriteBarrier } from './sqlite/write-barrier.ts'
import type { CaptureState } from './state/capture-state.ts'
import type { Spool } from './state/spool.ts'

/** What an attachment is made from. */
export interface AttachmentOptions {
  readonly database: string
  readonly captureState: CaptureState
  readonly spool: Spool
  readonly epoch: bigint
  readonly now: () => number
  readonly failpoint?: FailpointHook | undefined
  readonly cutBytes?: number | undefined
  readonly serial: Serial
  readonly captureInside: () => Promise<void>
  readonly emit: PrimaryListener
  readonly checkpointFrames: number
  readonly maxBarrierMs: number
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
  #closed = false

  constructor(options: AttachmentOptions) {
    const files = DatabaseFiles.open(options.database)
    let holder: Holder | undefined
    try {
      this.pageSize = checkDatabase(files, options.emit)
      holder = new Holder(files, options.failpoint)
      holder.attach()
      files.openIndex()
    } catch (error) {
      holder?.close()
      files.close()
      throw error
    }
    this.files = files
    this.holder = holder
    this.barrier = new WriteBarrier(options.database, options.maxBarrierMs)
    this.checkpointer = new Checkpointer()
    this.capture = new Capture({
      ...options,
      files,
      holder,
      barrier: this.barrier,
      state: options.captureState,
      pageSize: this.pageSize,
    })
    this.cycle = new CheckpointCycle({
      files,
      holder,
      barrier: this.barrier,
      checkpointer: this.checkpointer,
      serial: options.serial,
      capture: options.captureInside,
      emit: options.emit,
      failpoint: options.failpoint,
      pageSize: this.pageSize,
      thresholdFrames: options.checkpointFrames,
    })
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
    await this.checkpointer.close(this.files.path)
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
