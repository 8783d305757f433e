import { resolve } from 'node:path'
import type { TXID } from '@sqlstream/ltx'
import { type CloseReport, isComplete, type PrimaryEvent, pendingSince } from '@sqlstream/replica-core'
import { CLIError } from './cli-error.ts'
import { type ControlledDatabase, type DatabaseRow, stateOf } from './control/database-row.ts'
import { EXIT } from './exit-codes.ts'
import { eventJSON, eventLine, stoppedJSON, stoppedLine } from './output/events.ts'
import { UploadSummary } from './output/upload-summary.ts'
import { type Pair, Replication } from './replication.ts'
import type { RunOptions } from './run-options.ts'

/** The replication of one named database as `replicate` carries it out: with its lines, the exit code, stops and starts. */
export class PairRun implements ControlledDatabase {
  readonly pair: Pair
  readonly #o: RunOptions
  readonly #onFenced: () => void
  readonly #summary = new UploadSummary()
  #replication: Replication | undefined
  #starting = false
  /** Of the last stop. */
  #report: CloseReport | undefined
  #lastError: Error | undefined
  /** Since when nobody looks at it, ms since the epoch. */
  #since: number = Date.now()
  /** It is waited for: `since` is when something was seen under its name, ms since the epoch. */
  #expected: { readonly since?: number } | undefined
  /** Starts and stops, one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(pair: Pair, options: RunOptions, onFenced: () => void) {
    this.pair = pair
    this.#o = options
    this.#onFenced = onFenced
  }

  /** Absolute. */
  get database(): string {
    return resolve(this.pair.database)
  }

  get row(): DatabaseRow {
    const { database } = this
    const replica = this.pair.display
    const status = this.#replication?.status
    if (status === undefined && this.#expected !== undefined) {
      const { since } = this.#expected
      return {
        database,
        replica,
        state: 'queued',
        pendingFiles: 0,
        pendingBytes: 0,
        ...(since !== undefined && { unreplicatedSince: since }),
        ...(this.#lastError && { lastError: this.#lastError }),
      }
    }
    if (status === undefined) {
      const since = Math.min(this.#since, pendingSince(database, this.pair.stateDir) ?? this.#since)
      const state = this.#starting ? 'opening' : this.#lastError === undefined ? 'stopped' : 'failed'
      const { captured, uploaded, pendingFiles = 0 } = this.#report ?? {}
      return {
        database,
        replica,
        state,
        ...(captured && { captured: captured.txid }),
        ...(uploaded !== undefined && { uploaded }),
        pendingFiles,
        pendingBytes: 0,
        unreplicatedSince: since,
        ...(this.#lastError && { lastError: this.#lastError }),
      }
    }
    const { captured, database: _, walFrames: _frames, state: _state, ...rest } = status
    return {
      ...rest,
      database,
      replica,
      state: stateOf(status),
      ...(captured && { captured: captured.txid }),
    }
  }

  /**
   * Nothing is there yet, and it is no failure that it is not replicated.
   * @param since when something was seen under its name that is no database in WAL mode yet, ms since the epoch
   */
  expect(since?: number): void {
    this.#expected = since === undefined ? {} : { since: this.#expected?.since ?? since }
  }

  /** Whether it is waited for. */
  get isExpected(): boolean {
    return this.#expected !== undefined
  }

  /** Waits for the lease, then begins; the signal ends that, and has no meaning once it runs. */
  start(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#replication?.status.state === 'fenced') await this.#letGo(AbortSignal.abort())
      if (this.#replication !== undefined) return
      signal?.throwIfAborted()
      this.#starting = true
      const { drivers, activity, budgets } = this.#o
      const limit = new AbortController()
      const end = (): void => limit.abort(signal?.reason)
      signal?.addEventListener('abort', end, { once: true })
      try {
        this.#replication = await Replication.start(this.pair, {
          drivers,
          budgets,
          onOperation: activity.operation,
          onWriteLock: activity.writeLock,
          signal: AbortSignal.any([this.#o.signal, limit.signal]),
          onEvent: (_, event) => this.#onEvent(event),
        })
        this.#lastError = undefined
        this.#expected = undefined
      } catch (error) {
        this.#lastError = error as Error
        activity.openFailed(error)
        throw error
      } finally {
        this.#starting = false
        signal?.removeEventListener('abort', end)
      }
      if (!this.#o.json) this.#say(`replicating to ${this.#replication.display}`)
      // Told before this was known to be open.
      if (this.#replication.status.state === 'fenced') this.#onFenced()
    })
  }

  async sync(signal: AbortSignal): Promise<TXID> {
    const replication = this.#replication
    if (replication === undefined) throw this.isExpected ? notThere(this.database) : stopped(this.database)
    return await replication.durable(signal)
  }

  /** Uploads what is left, lets it go, and says what is safe. What was not there yet is waited for no more. */
  stop(signal?: AbortSignal): Promise<CloseReport | undefined> {
    this.#expected = undefined
    return this.#inTurn(() => this.#letGo(signal))
  }

  /** The same at the end of the process, with its exit code. */
  async end(): Promise<void> {
    const report = await this.stop()
    if (report !== undefined && !isComplete(report)) process.exitCode ??= EXIT.interrupted
  }

  /**
   * At the end of the application: everything that it has committed goes into the replica, for as long as the signal lets it; then it
   * is let go. Returns why not everything is there.
   */
  async drain(signal: AbortSignal): Promise<Error | undefined> {
    let failure: Error | undefined
    if (this.#replication !== undefined) {
      await this.sync(signal).catch((error: Error) => {
        failure = signal.aborted ? (this.#replication?.status.lastError ?? error) : error
      })
    }
    // Where waiting has been of no use, there is no more of it.
    const report = await this.stop(failure === undefined ? signal : AbortSignal.abort())
    if (report === undefined || isComplete(report)) return failure
    return (
      failure ?? this.#lastError ?? new CLIError('not-uploaded', `${this.database}: ${stoppedLine(report)}`)
    )
  }

  async #letGo(signal: AbortSignal | undefined): Promise<CloseReport | undefined> {
    const replication = this.#replication
    if (replication === undefined) return undefined
    const before = replication.status.unreplicatedSince
    const report = await replication.stop(signal)
    this.#since = before !== undefined && !isComplete(report) ? before : Date.now()
    this.#replication = undefined
    this.#report = report
    if (this.#o.json) this.#o.tell(stoppedJSON(this.#source, new Date(), report))
    else {
      const uploads = this.#summary.flush()
      if (uploads !== undefined) this.#say(uploads)
      this.#say(stoppedLine(report))
    }
    return report
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task)
    this.#tail = result.catch(() => undefined)
    return result
  }

  #onEvent(event: PrimaryEvent): void {
    this.#o.activity.event(event)
    if (event.type === 'state' && event.to === 'fenced') {
      process.exitCode = EXIT.fenced
      this.#onFenced()
    }
    if (this.#o.json) {
      this.#o.tell(eventJSON(this.#source, new Date(), event))
      return
    }
    for (const line of [eventLine(event), this.#summary.add(event)]) if (line !== undefined) this.#say(line)
  }

  #say(line: string): void {
    this.#o.say(`${this.pair.database}: ${line}`)
  }

  get #source(): { database: string; replica: string } {
    return { database: this.pair.database, replica: this.pair.display }
  }
}

function notThere(database: string): CLIError {
  return new CLIError(
    'file-missing',
    `there is no database in WAL mode at ${database} yet`,
    'it is replicated as soon as there is one',
  )
}

/** Nothing can be asked of a database that is stopped, but to start it. */
export function stopped(database: string): CLIError {
  return new CLIError(
    'database-stopped',
    `${database} is stopped: nothing of it is backed up now`,
    `sqlstream start ${database}`,
  )
}
