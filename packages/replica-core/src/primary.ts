import { dirname } from 'node:path'
import type { Pos } from '@sqlstream/ltx'
import type { Lease } from '@sqlstream/replica'
import { checkReplicable } from './attachment.ts'
import { Backlog } from './backlog.ts'
import { DiskBudget } from './budget/disk-budget.ts'
import { checkpointNow } from './checkpoint-now.ts'
import { DiskKeeper } from './disk-keeper.ts'
import { ifGivenUp, PrimaryError, wrapFileError } from './errors.ts'
import type { FolderWatches } from './fleet/folder-watches.ts'
import { GrowingPause } from './growing-pause.ts'
import { obtainLease, returnLeaseInTime } from './lease/obtain-lease.ts'
import { Lifecycle } from './lifecycle.ts'
import type { PrimaryOptions } from './options.ts'
import type { PrimaryContext } from './primary-context.ts'
import { Replication } from './replication.ts'
import { type CloseReport, type PrimaryStatus, reportOf, statusOf } from './report.ts'
import type { Resting } from './rest.ts'
import { lookAtRest, RestKeeper } from './rest-keeper.ts'
import { noFileEvents, WALSchedule } from './schedule.ts'
import type { CheckpointMode } from './sqlite/checkpointer.ts'
import { assertSafeEngine } from './sqlite/engine-gate.ts'
import { SQLiteThreads } from './sqlite/sqlite-threads.ts'
import { removeRestRecord } from './state/rest-record.ts'
import { spoolTimes } from './state/spool-times.ts'
import {
  createStateFolder,
  type LocalLock,
  type StateFolder,
  stateFolder,
  takeLocalLock,
} from './state/state-folder.ts'
import { Upkeep } from './upkeep.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 10_000

/** What excludes others, on this machine and at the replica, and what else ends with this primary. */
interface Rights {
  readonly folder: StateFolder
  readonly lock: LocalLock
  readonly lease: Lease
  /** Those of this primary alone. */
  readonly threads: SQLiteThreads | undefined
  readonly disk: DiskBudget
}

/**
 * The writing side of one database: captures its WAL, uploads what it captured, and checkpoints.
 * Runs beside the application, in another process; it writes nothing into the database.
 */
export class Primary {
  readonly #o: PrimaryOptions
  readonly #rights: Rights
  readonly #replication: Replication
  readonly #upkeep: Upkeep
  readonly #backlog: Backlog
  #schedule: WALSchedule | undefined
  #closing: Promise<CloseReport> | undefined
  /** Callers of `sync`: they do not wait for the interval. */
  #waiting = 0
  readonly #retry = new GrowingPause(FIRST_RETRY_MS, LAST_RETRY_MS)
  readonly #disk: DiskKeeper

  private constructor(options: PrimaryOptions, rights: Rights, replication: Replication, backlog: Backlog) {
    this.#o = options
    this.#rights = rights
    this.#backlog = backlog
    this.#replication = replication
    const folders = { state: rights.folder.path, database: dirname(options.database) }
    this.#disk = new DiskKeeper(replication, rights.disk, folders)
    this.#upkeep = new Upkeep({
      serial: replication.serial,
      emit: replication.emit,
      attachment: () => (this.#closing === undefined ? replication.movable : undefined),
      capture: replication.capture,
      // At full speed the next generation passes the application's autocheckpoint threshold in 10 ms.
      onCycle: () => this.#schedule?.lookWithin(1),
    })
  }

  /**
   * Starts replication: proves that the WAL continues what was captured, else compares pages, else
   * takes a snapshot (SPEC.md, "Start"). Resolves when the database is attached and nothing that was
   * committed before can be lost; uploads may still be under way. Before, it waits for the lease of
   * the replica as `options.lease` says.
   *
   * @throws PrimaryError, and the store's errors
   */
  static async open(options: PrimaryOptions, context: PrimaryContext = {}): Promise<Primary> {
    options.signal?.throwIfAborted()
    assertSafeEngine()
    const { resting, assertLeases, limits, log, onWriteLock } = context
    const own = context.threads === undefined ? new SQLiteThreads() : undefined
    const folder = stateFolder(options.database, options.stateDir)
    let lock: LocalLock | undefined
    let lease = resting?.lease
    let replication: Replication | undefined
    const backlog = new Backlog(options.now ?? Date.now)
    try {
      // Refuse what is not a WAL database before anything is created beside it.
      checkReplicable(options.database)
      createStateFolder(folder, resting !== undefined)
      lock = takeLocalLock(folder)
      backlog.behind(context.since)
      const lifecycle = new Lifecycle((event) => {
        backlog.observe(event)
        options.onEvent?.(event)
      })
      const left = await lookAtRest(options, folder, resting)
      const { signal, replica } = options
      const obtain = { store: replica.store, folder, emit: lifecycle.emit, signal, assertLeases }
      lease = left.resting?.lease ?? (await obtainLease(obtain, options.lease))
      const threads = context.threads ?? (own as SQLiteThreads)
      // Before anything of it becomes untrue.
      await removeRestRecord(folder, options.failpoint)
      const parts = { ...left, folder, lifecycle, lease, threads, log, limits, onWriteLock }
      replication = new Replication(options, parts)
      for (const { txid, since } of spoolTimes(folder)) backlog.found(txid, since)
      await replication.start()
      const { uploaded } = replication.uploader
      if (uploaded !== undefined) backlog.acknowledged(uploaded)
      backlog.current()
    } catch (error) {
      await replication?.close(AbortSignal.abort())
      await resting?.maintenance?.stop()
      await own?.end()
      if (lease !== undefined) await returnLeaseInTime(lease)
      lock?.release()
      throw wrapFileError(error, folder.path)
    }
    const { disk = new DiskBudget(options.disk) } = context
    const primary = new Primary(options, { folder, lock, lease, threads: own, disk }, replication, backlog)
    primary.#listen(context.watches)
    return primary
  }

  get status(): PrimaryStatus {
    return statusOf(this.#o.database, this.#replication, this.#backlog)
  }

  /** Captures every commit that is visible now. Calls that wait for the same capture share it. */
  async sync(options: { readonly signal?: AbortSignal } = {}): Promise<Pos> {
    options.signal?.throwIfAborted()
    this.#assertOpen()
    this.#waiting++
    try {
      await this.#capture()
    } finally {
      this.#waiting--
    }
    return this.#replication.pos as Pos
  }

  /** Resolves when every transaction committed before the call is in the replica, with where the newest of them is. */
  async durable(options: { readonly signal?: AbortSignal } = {}): Promise<Pos> {
    for (;;) {
      const { bases } = this.#replication
      const isCaptured = await this.#disk.resumed(options.signal)
      const pos = isCaptured ? this.#replication.pos : await this.sync(options).catch(ifGivenUp)
      if (pos === undefined) continue
      await this.#replication.uploader.waitFor(pos.txid, options.signal)
      // A new base has another TXID; under the one that was waited for there may be another writer's state.
      if (bases === this.#replication.bases) return pos
    }
  }

  /**
   * Checkpoints on the operator's wish. `truncate` also gives the WAL's disk space back.
   *
   * @throws PrimaryError `busy` when a snapshot or the application's readers are in the way
   */
  async checkpoint(
    mode: CheckpointMode = 'passive',
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted()
    this.#assertOpen()
    await checkpointNow(this.#replication, mode)
    await this.sync(options)
  }

  /**
   * Lets the database go without giving back the lease, if everything is in the replica and in the database file; else nothing
   * changes and it goes on. To be taken up again by `open` with what this returns.
   */
  async rest(): Promise<Resting | undefined> {
    if (this.#closing !== undefined || this.#waiting > 0) return undefined
    const rest = await this.#replication.rest()
    if (rest === undefined) return undefined
    this.#schedule?.close()
    this.#closing = Promise.resolve(reportOf(this.#replication))
    const resting = { ...rest, lease: this.#rights.lease }
    const keeper = await RestKeeper.begin(this.#o, this.#rights.folder, resting)
    await this.#letGo()
    return { ...resting, keeper }
  }

  /**
   * Captures and uploads what is left, then lets the database go. The signal ends the wait for the
   * uploads; what is not uploaded stays in the spool.
   */
  close(options: { readonly signal?: AbortSignal } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(options.signal)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #listen(watches: FolderWatches | undefined): void {
    const { quietMs = 5, maxDelayMs = 10 } = this.#o
    this.#schedule = new WALSchedule(
      this.#o.database,
      { quietMs, maxDelayMs },
      {
        look: () => this.#look(),
        refresh: () => this.#upkeep.refresh().catch(() => this.#schedule?.lookIn(0)),
        poll: () => this.#poll(),
      },
      watches,
    )
    if (!this.#schedule.hasEvents) this.#replication.emit(noFileEvents(this.#o.database))
  }

  /** Captures when something is new and it is time. */
  async #look(): Promise<number | 'soon' | undefined> {
    const { attachment, state } = this.#replication
    if (this.#closing !== undefined || attachment === undefined || state === 'fenced') return undefined
    const now = performance.now()
    if (this.#retry.left > 0) return this.#retry.left
    if (this.#replication.suspension.error !== undefined) return this.#disk.relieve()
    try {
      if (!attachment.capture.isBehind()) {
        this.#backlog.current()
        return 'soon'
      }
      this.#backlog.behind()
      this.#upkeep.active()
      await this.#upkeep.pin()
      const due = this.#replication.lastCapture + (this.#o.syncIntervalMs ?? 1000)
      if (now < due && this.#waiting === 0 && !this.#upkeep.isLong(attachment)) return due - now
    } catch {
      // A doubt: the capture below meets it again and resolves it.
    }
    await this.#capture().catch(() => undefined)
    return undefined
  }

  async #capture(): Promise<void> {
    try {
      await this.#disk.look()
      await this.#replication.captureNow()
      this.#backlog.current()
      this.#retry.succeeded()
    } catch (error) {
      this.#backlog.doubtful()
      if (this.#replication.state === 'failed' && this.#retry.left === 0) {
        const retryInMs = this.#retry.failed()
        this.#replication.emit({ type: 'failed', operation: 'capture', error: error as Error, retryInMs })
        this.#schedule?.lookIn(retryInMs + 1)
      }
      throw error
    }
    this.#upkeep.checkpointIfLong()
  }

  async #poll(): Promise<void> {
    if (this.#closing !== undefined) return
    await this.#disk.look()
    const { attachment, state } = this.#replication
    if (this.#retry.left > 0 || state === 'fenced') return
    if (state === 'suspended') return this.#disk.resumeInTime()
    const replaced = attachment === undefined || attachment.files.replaced() !== undefined
    if (replaced || state === 'failed') await this.#capture().catch(() => undefined)
    else await this.#look()
  }

  async #close(signal?: AbortSignal): Promise<CloseReport> {
    this.#schedule?.close()
    await this.#replication.close(signal)
    await returnLeaseInTime(this.#rights.lease)
    await this.#letGo()
    return reportOf(this.#replication)
  }

  async #letGo(): Promise<void> {
    this.#disk.leave()
    this.#rights.lock.release()
    await this.#rights.threads?.end()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new PrimaryError('closed', 'the replicator is closed')
    const { state, lastError } = this.#replication
    if (state === 'fenced') throw lastError
  }
}
