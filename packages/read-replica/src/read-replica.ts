import { formatTXID, type TXID } from '@sqlstream/ltx'
import type { AbortOptions } from '@sqlstream/replica'
import { abortable, pause } from '@sqlstream/storage'
import type { RowSet, SqlParams, Statement } from './engine/messages.ts'
import { closedError, isReadReplicaError, ReadReplicaError } from './errors.ts'
import type { At, Position, ReplicaEvents, ReplicaStats, WaitForOptions } from './options.ts'
import type { ReplicaCore } from './replica-core.ts'
import { type Row, rowsOf } from './rows.ts'
import type { ReadTx, SessionClient } from './session-client.ts'
import type { Follower } from './source/follower.ts'
import type { ViewState } from './view/view.ts'

/** What makes a replica: made by `openReplica`. */
export interface ReadReplicaParts {
  readonly core: ReplicaCore
  readonly session: SessionClient
  /** Absent: the state is fixed. */
  readonly follower?: Follower | undefined
  readonly intervalMs?: number | undefined
  /** Whether to look for new states without being asked. */
  readonly polls?: boolean | undefined
  readonly maxLagMs?: number | undefined
}

/**
 * A backup as a read-only SQLite database. Pages are fetched when SQLite asks for them. Each query reads one committed state, never an older one than a query before
 * it. Failures: ReadReplicaError, ReplicaError, the store's errors; an abort rejects with `signal.reason`.
 */
export class ReadReplica implements ReadTx, AsyncDisposable {
  readonly #core: ReplicaCore
  readonly #session: SessionClient
  readonly #follower: Follower | undefined
  readonly #intervalMs: number
  readonly #maxLagMs: number
  readonly #polls: boolean
  readonly #listeners: { [E in keyof ReplicaEvents]: Set<(value: ReplicaEvents[E]) => void> } = {
    advance: new Set(),
    error: new Set(),
  }
  readonly #closing = new AbortController()
  /** What was shown last: it can be asked for after the end, too. */
  #shown: Pick<ViewState, 'txid' | 'time'>
  #timer: ReturnType<typeof setTimeout> | undefined
  #lastError: unknown

  constructor(parts: ReadReplicaParts) {
    this.#core = parts.core
    this.#session = parts.session
    this.#shown = parts.core.source.recordOf(parts.session.number)
    this.#follower = parts.follower
    this.#intervalMs = parts.intervalMs ?? 1000
    this.#maxLagMs = parts.maxLagMs ?? Number.POSITIVE_INFINITY
    this.#polls = (parts.polls ?? false) && parts.follower !== undefined
    this.#plan()
  }

  /** The state that a query shows that begins now. */
  get position(): Position {
    return { txid: this.#shown.txid, time: new Date(this.#shown.time) }
  }

  /** How long ago this state was known to be the newest one, ms; 0 for a fixed state. */
  get lagMs(): number {
    return this.#follower ? Math.max(0, this.#core.now() - this.#follower.confirmed) : 0
  }

  async all<T = Row>(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<T[]> {
    const [rows] = await this.batch([[sql, params]], options)
    return rows as T[]
  }

  async get<T = Row>(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<T | undefined> {
    const [row] = await this.all<T>(sql, params, options)
    return row
  }

  async table(sql: string, params?: SqlParams, options: AbortOptions = {}): Promise<RowSet> {
    const [set] = await this.#run([{ sql, params }], options)
    return set as RowSet
  }

  async batch(
    list: readonly (readonly [sql: string, params?: SqlParams | undefined])[],
    options: AbortOptions = {},
  ): Promise<Row[][]> {
    const statements = list.map(([sql, params]) => ({ sql, params }))
    return (await this.#run(statements, options)).map(rowsOf)
  }

  async *iterate<T = Row>(
    sql: string,
    params?: SqlParams,
    options: AbortOptions = {},
  ): AsyncGenerator<T, void, void> {
    await this.#mustBeFresh(options)
    const session = await this.#fork(options)
    try {
      for await (const rows of session.iterate({ sql, params }, options, this.#confirmed)) yield* rows as T[]
    } finally {
      await this.#core.closeSession(session)
    }
  }

  /** Several reads of one state, with whatever in between. The state is let go when the promise of `work` settles. */
  async snapshot<R>(
    work: (tx: ReadTx & { readonly position: Position }) => Promise<R>,
    options: AbortOptions = {},
  ): Promise<R> {
    await this.#mustBeFresh(options)
    const session = await this.#fork(options)
    const pinned = new ReadReplica({ core: this.#core, session })
    try {
      return await work(pinned)
    } finally {
      await pinned.#letGo()
    }
  }

  /** A state of the past as a replica of its own that shares the cache. Close it when it is not needed any more. */
  async asOf(at: At, options: AbortOptions = {}): Promise<ReadReplica> {
    this.#mustBeOpen()
    const session = await this.#core.openAt(at, { ...options, like: this.#session })
    return new ReadReplica({ core: this.#core, session })
  }

  /** Looks for newer states, wherever they are. Resolves with whether this replica shows a newer one now. */
  async refresh(options: AbortOptions = {}): Promise<boolean> {
    this.#mustBeOpen()
    if (!this.#follower) return false
    return await this.#round(true, options)
  }

  /**
   * Resolves when this replica shows the state of a transaction or a newer one, such as one that was just reported as durable: read your writes.
   *
   * @throws ReadReplicaError `timed-out`
   */
  async waitFor(txid: TXID, options: WaitForOptions = {}): Promise<void> {
    this.#mustBeOpen()
    if (this.#shown.txid >= txid) return
    const { signal, timeoutMs } = options
    const giveUp = new AbortController()
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => giveUp.abort(this.#tooLate(txid, timeoutMs)), timeoutMs)
    const any = AbortSignal.any([giveUp.signal, this.#closing.signal, ...(signal ? [signal] : [])])
    try {
      for (let pauseMs = 10; this.#shown.txid < txid; pauseMs = Math.min(2 * pauseMs, this.#intervalMs)) {
        if (!this.#follower) throw this.#tooLate(txid, 0)
        await abortable(this.#round(false, {}), any)
        if (this.#shown.txid < txid) await pause(pauseMs, any)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  stats(): ReplicaStats {
    return this.#core.stats()
  }

  on<E extends keyof ReplicaEvents>(event: E, listener: (value: ReplicaEvents[E]) => void): this {
    this.#listeners[event].add(listener)
    return this
  }

  off<E extends keyof ReplicaEvents>(event: E, listener: (value: ReplicaEvents[E]) => void): this {
    this.#listeners[event].delete(listener)
    return this
  }

  /** Lets the state go; the last replica that shares the thread of SQLite ends it. Queries that are under way reject with `closed`. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    await this.#letGo()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A newer state, from the follower. */
  show(state: Pick<ViewState, 'txid' | 'time'>): void {
    const isNewer = state.txid > this.#shown.txid
    this.#shown = state
    if (isNewer) this.#tell('advance', this.position)
  }

  get #confirmed(): number | undefined {
    return this.#follower?.confirmed
  }

  async #run(statements: readonly Statement[], options: AbortOptions): Promise<readonly RowSet[]> {
    await this.#mustBeFresh(options)
    try {
      return await this.#session.run(statements, options, this.#confirmed)
    } catch (error) {
      // Nobody has seen a row of that state: a newer one is as good.
      if (!isReadReplicaError(error, 'snapshot-gone') || !(await this.#hasAdvanced(options))) throw error
      return await this.#session.run(statements, options, this.#confirmed)
    }
  }

  async #letGo(): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort(closedError())
    await this.#core.closeSession(this.#session)
  }

  async #fork(options: AbortOptions): Promise<SessionClient> {
    return await this.#core.fork(this.#session, options)
  }

  #mustBeOpen(): void {
    if (this.#closing.signal.aborted) throw closedError()
  }

  async #mustBeFresh(options: AbortOptions): Promise<void> {
    this.#mustBeOpen()
    options.signal?.throwIfAborted()
    if (!this.#follower || this.lagMs <= this.#maxLagMs) return
    let cause: unknown
    try {
      await this.#round(false, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      cause = error
    }
    if (this.lagMs <= this.#maxLagMs) return
    throw new ReadReplicaError(
      'stale',
      `the newest state that is known, TXID ${formatTXID(this.#shown.txid)}, was known to be the newest one ${Math.round(this.lagMs)} ms ago, more than ${this.#maxLagMs}`,
      { cause: cause ?? this.#lastError, hint: 'The cause says why newer states cannot be learnt of.' },
    )
  }

  async #hasAdvanced(options: AbortOptions): Promise<boolean> {
    if (!this.#follower) return false
    const { txid } = this.#shown
    await this.#round(true, options)
    return this.#shown.txid > txid
  }

  async #round(isThorough: boolean, options: AbortOptions): Promise<boolean> {
    const { txid } = this.#shown
    const work = (this.#follower as Follower).round({ isThorough, signal: this.#closing.signal })
    await abortable(work, options.signal)
    this.#lastError = undefined
    return this.#shown.txid > txid
  }

  #plan(): void {
    if (!this.#polls || this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => void this.#poll(), this.#intervalMs)
  }

  async #poll(): Promise<void> {
    try {
      await this.#round(false, {})
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#lastError = error
      this.#tell('error', error)
    }
    this.#plan()
  }

  #tell<E extends keyof ReplicaEvents>(event: E, value: ReplicaEvents[E]): void {
    for (const listener of this.#listeners[event]) listener(value)
  }

  #tooLate(txid: TXID, timeoutMs: number): ReadReplicaError {
    const shown = formatTXID(this.#shown.txid)
    return new ReadReplicaError(
      'timed-out',
      `TXID ${formatTXID(txid)} did not arrive in ${timeoutMs} ms: the newest is ${shown}`,
    )
  }
}
