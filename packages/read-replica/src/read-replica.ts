import type { TXID } from '@sqlstream/ltx'
import type { AbortOptions } from '@sqlstream/replica'
import { abortable, pause } from '@sqlstream/storage'
import type { RowSets, SqlParams, Statement } from './engine/messages.ts'
import { closedError, isReadReplicaError, staleError, tooLateError } from './errors.ts'
import { iterateOnCopy, runOnCopy } from './hydration/answer.ts'
import type { CopyState } from './hydration/copy.ts'
import type { Hydration } from './hydration/hydration.ts'
import { LocalSnapshot } from './hydration/local-snapshot.ts'
import { Listeners } from './listeners.ts'
import type { At, Position, ReplicaEvents, ReplicaStats, WaitForOptions } from './options.ts'
import { Reads } from './reads.ts'
import type { ReplicaCore } from './replica-core.ts'
import type { ReadReplicaParts } from './replica-parts.ts'
import type { Row } from './rows.ts'
import type { ReadTx, SessionClient } from './session-client.ts'
import type { Follower } from './source/follower.ts'
import type { ViewState } from './view/view.ts'

/**
 * A backup as a read-only SQLite database. Pages are fetched when SQLite asks for them. Each query reads one committed state, never an older one than a query before
 * it. Failures: ReadReplicaError, ReplicaError, the store's errors; an abort rejects with `signal.reason`.
 */
export class ReadReplica extends Reads implements AsyncDisposable {
  readonly #core: ReplicaCore
  readonly #session: SessionClient
  readonly #follower: Follower | undefined
  readonly #intervalMs: number
  readonly #maxLagMs: number
  readonly #polls: boolean
  readonly #hydration: Hydration | undefined
  readonly #listeners = new Listeners()
  readonly #closing = new AbortController()
  /** What was shown last: it can be asked for after the end, too. */
  #shown: Pick<ViewState, 'txid' | 'time'>
  #timer: ReturnType<typeof setTimeout> | undefined
  #lastError: unknown
  /** What the local copy has shown last. */
  #hydrated: CopyState | undefined

  constructor(parts: ReadReplicaParts) {
    super()
    this.#core = parts.core
    this.#session = parts.session
    this.#shown = parts.core.source.recordOf(parts.session.number)
    this.#follower = parts.follower
    this.#intervalMs = parts.intervalMs ?? 500
    this.#maxLagMs = parts.maxLagMs ?? Number.POSITIVE_INFINITY
    this.#polls = (parts.polls ?? false) && parts.follower !== undefined
    this.#hydration = parts.hydration
    this.#hydration?.begin({
      shown: () => this.#shown.txid,
      confirmed: () => this.#confirmed,
      moved: (state) => this.#move(state),
      serving: (state) => {
        this.#move(state)
        this.#listeners.tell('hydrated', this.position)
      },
      failed: (error) => this.#listeners.tell('error', error),
    })
    this.#plan()
  }

  /** The state that a query shows that begins now. */
  get position(): Position {
    return { txid: this.#shown.txid, time: new Date(this.#shown.time) }
  }

  /** Who answers queries: the backup, or a local copy of it. States of the past always come from the backup. */
  get source(): 'remote' | 'hydrated' {
    return this.#hydration?.isServing ? 'hydrated' : 'remote'
  }

  /** How long ago this state was known to be the newest one, ms; 0 for a fixed state. */
  get lagMs(): number {
    return this.#confirmed === undefined ? 0 : Math.max(0, this.#core.now() - this.#confirmed)
  }

  async *iterate<T = Row>(
    sql: string,
    params?: SqlParams,
    options: AbortOptions = {},
  ): AsyncGenerator<T, void, void> {
    await this.#mustBeFresh(options)
    if (yield* iterateOnCopy<T>(this.#hydration, { sql, params }, options)) return
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
    const reads = await this.#hydration?.enter(options.signal)
    if (reads) {
      const local = new LocalSnapshot(reads, () => this.#mustBeOpen())
      try {
        return await work(local)
      } finally {
        local.end()
      }
    }
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
        : setTimeout(() => giveUp.abort(tooLateError(txid, this.#shown.txid, timeoutMs)), timeoutMs)
    const any = AbortSignal.any([giveUp.signal, this.#closing.signal, ...(signal ? [signal] : [])])
    try {
      for (let pauseMs = 10; this.#shown.txid < txid; pauseMs = Math.min(2 * pauseMs, this.#intervalMs)) {
        if (!this.#follower) throw tooLateError(txid, this.#shown.txid, 0)
        await this.#round(false, { signal: any })
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
    this.#listeners.add(event, listener)
    return this
  }

  off<E extends keyof ReplicaEvents>(event: E, listener: (value: ReplicaEvents[E]) => void): this {
    this.#listeners.remove(event, listener)
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
    // The backup may be behind the local copy, whose states were shown.
    if (state.txid < this.#shown.txid) return
    const isNewer = state.txid > this.#shown.txid
    this.#shown = state
    if (isNewer) this.#listeners.tell('advance', this.position)
  }

  #move(state: CopyState): void {
    this.#hydrated = state
    this.show(state)
  }

  get #confirmed(): number | undefined {
    // Whoever has looked last: what is shown is no older than either of them.
    return this.#follower && Math.max(this.#follower.confirmed, this.#hydration?.confirmed ?? 0)
  }

  protected async run(statements: readonly Statement[], options: AbortOptions): Promise<RowSets> {
    await this.#mustBeFresh(options)
    const local = await runOnCopy(this.#hydration, statements, options)
    if (local) return local
    await this.#mustReachShown(options)
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
    await this.#hydration?.close()
    await this.#core.closeSession(this.#session)
  }

  /** A session of the backup. */
  async #fork(options: AbortOptions): Promise<SessionClient> {
    await this.#mustReachShown(options)
    return await this.#core.fork(this.#session, options)
  }

  /** The backup is not followed while the copy serves. */
  async #mustReachShown({ signal }: AbortOptions): Promise<void> {
    const { txid } = this.#shown
    const hydrated = this.#hydrated
    if (!hydrated || !this.#follower) return
    if (this.#core.source.recordOf(this.#session.number).txid >= txid) return
    const checksum = hydrated.txid === txid ? hydrated.checksum : undefined
    await abortable(this.#follower.reach({ txid, checksum }, this.#closing.signal), signal)
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
    throw staleError(this.#shown.txid, this.lagMs, this.#maxLagMs, cause ?? this.#lastError)
  }

  async #hasAdvanced(options: AbortOptions): Promise<boolean> {
    if (!this.#follower) return false
    const { txid } = this.#shown
    await this.#round(true, options)
    return this.#shown.txid > txid
  }

  async #round(isThorough: boolean, options: AbortOptions): Promise<boolean> {
    const { txid } = this.#shown
    const ofCopy = this.#hydration && (await abortable(this.#hydration.round(isThorough), options.signal))
    if (ofCopy === undefined) {
      await this.#mustReachShown(options)
      const work = (this.#follower as Follower).round({ isThorough, signal: this.#closing.signal })
      await abortable(work, options.signal)
    }
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
      this.#listeners.tell('error', error)
    }
    this.#plan()
  }
}
