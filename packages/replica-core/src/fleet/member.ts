import { setTimeout as sleep } from 'node:timers/promises'
import type { Pos } from '@sqlstream/ltx'
import { abortable } from '@sqlstream/storage'
import { isPrimaryError, PrimaryError } from '../errors.ts'
import type { PrimaryEvent } from '../events.ts'
import { Primary } from '../primary.ts'
import type { CloseReport } from '../report.ts'
import { isUnwritten, type Resting } from '../rest.ts'
import { pendingSince } from '../state/spool-times.ts'
import { type CloseOptions, closeMember } from './close-member.ts'
import type { FleetDatabase, MemberState } from './fleet-events.ts'
import { type MemberContext, primaryOptionsOf } from './member-context.ts'
import { type ClosedState, canBecome, type MemberStatus, memberStatus } from './member-status.ts'
import { Parked } from './parked.ts'
import type { Candidate } from './scan-folder.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 300_000

/** One database of a fleet: opened when it is written, let go when it rests. What fails with it is its own affair. */
export class Member {
  readonly database: FleetDatabase
  readonly #c: MemberContext
  readonly #closed = new AbortController()
  #state: MemberState = 'queued'
  #primary: Primary | undefined
  #resting: Resting | undefined
  /** Another process has let it go, and nobody has written it since. */
  #parked: Parked | undefined
  #beginning: Promise<void> = Promise.resolve()
  #opening: Promise<void> | undefined
  /** The attempt to open it that is under way, or the last one. */
  #attempt: Promise<void> = Promise.resolve()
  #lettingGo: Promise<boolean> | undefined
  #closing: Promise<CloseReport | undefined> | undefined
  /** What it left when it was closed. */
  #report: CloseReport | undefined
  /** Something was written since it began to be let go. */
  #touched = false
  #lastCommit = Number.NEGATIVE_INFINITY
  #retryMs = FIRST_RETRY_MS
  #lastError: Error | undefined
  /** Since when something may have been committed that is not in the replica, while no primary tells. */
  #since: number | undefined

  /** @param since something may have been committed that is not in the replica, ms since the epoch */
  constructor(database: FleetDatabase, context: MemberContext, since: number = Date.now()) {
    this.database = database
    this.#since = since
    this.#c = context
  }

  get state(): MemberState {
    return this.#state
  }

  /** Of the last attempt to open it, or of its primary. */
  get lastError(): Error | undefined {
    return this.#lastError ?? this.#primary?.status.lastError
  }

  /** How it stands. Takes no request, and opens nothing. */
  get status(): MemberStatus {
    const primary = this.#primary?.status
    return memberStatus(this.database, this.#state, {
      primary,
      left: this.#resting ?? this.#parked,
      since: this.#since,
      report: this.#report,
      lastError: this.#lastError ?? primary?.lastError,
    })
  }

  /** When it was last seen to be written, on the clock of `performance.now`; long ago when it never was. */
  get lastCommit(): number {
    return this.#lastCommit
  }

  /**
   * Something was written: it is opened if it rests.
   * @param seen its files, where a scan has looked at them: what was written before it was let go is no news
   */
  touch(seen?: Candidate): void {
    const left = this.#resting ?? this.#parked
    if (seen && left && isUnwritten(seen, left)) return
    this.#touched = true
    if (this.#state !== 'resting') return
    this.#since ??= Date.now()
    this.#lastCommit = performance.now()
    void this.open()
  }

  /** Leaves it as an earlier process has left it, if nobody has written it since; else opens it. Resolves when either is done. */
  begin(seen: Candidate): Promise<void> {
    this.#beginning = this.#begin(seen)
    return this.#beginning
  }

  /** Resolves when it was opened once, or need not be. */
  settled(): Promise<void> {
    return this.#beginning
  }

  /** Opens it if it rests since an earlier process and its maintenance has something to do; undefined when it is not time yet. */
  maintain(now: number): Promise<void> | undefined {
    const parked = this.#parked
    if (parked === undefined || now < parked.dueAt) return undefined
    return parked
      .isDue(now, primaryOptionsOf(this.#c, this.database))
      .then((isDue) => (isDue ? this.open() : undefined))
  }

  async #begin(seen: Candidate): Promise<void> {
    const read = this.#c.reads.run(async () => Parked.read(primaryOptionsOf(this.#c, this.database), seen))
    // What fails here fails again when it is opened, and is told then.
    const parked = await read.catch(() => undefined)
    if (parked === undefined || this.#touched || this.#closed.signal.aborted) return this.open()
    // Somebody wanted it open.
    if (this.#opening !== undefined || this.#state !== 'queued') return this.#opening
    this.#parked = parked
    this.#since = undefined
    this.#become('resting')
  }

  /** Opens it, again and again if need be. Resolves when it is open, or never will be. */
  open(): Promise<void> {
    if (this.#primary !== undefined || this.#closed.signal.aborted || this.#state === 'fenced')
      return Promise.resolve()
    this.#opening ??= this.#openUntilOpen().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** Another one in its place, to begin anew once it is closed. */
  successor(): Member {
    return new Member(this.database, this.#c, this.#since)
  }

  /** Whether it is closed, or being closed. */
  get closed(): boolean {
    return this.#closed.signal.aborted
  }

  /**
   * Resolves when it is open, or was and rests already.
   *
   * @throws what keeps it from being opened now, though it is tried again later; the reason of the signal
   */
  async started(signal: AbortSignal | undefined): Promise<void> {
    if (this.closed || this.#c.signal.aborted)
      throw this.#lastError ?? new PrimaryError('closed', `${this.database.path} is not replicated any more`)
    void this.open()
    await abortable(this.#attempt, signal)
  }

  /**
   * Resolves when everything that was committed before is in its replica, with where the newest of it is.
   *
   * @throws what keeps it from being opened now, though it is tried again later; the reason of the signal
   */
  async durable(signal: AbortSignal | undefined): Promise<Pos> {
    while (true) {
      signal?.throwIfAborted()
      if (this.#lettingGo !== undefined) await abortable(this.#lettingGo, signal)
      await this.started(signal)
      const primary = this.#primary
      // It was let go at once.
      if (primary === undefined) continue
      try {
        return await primary.durable(signal && { signal })
      } catch (error) {
        // One that is let go meanwhile is opened again.
        if (!isPrimaryError(error, 'closed')) throw error
      }
    }
  }

  /** Lets it go if everything is in its replica. Returns whether it did. */
  rest(): Promise<boolean> {
    const primary = this.#primary
    if (this.#state !== 'open' || primary === undefined) return Promise.resolve(false)
    this.#lettingGo ??= this.#letGo(primary).finally(() => {
      this.#lettingGo = undefined
    })
    return this.#lettingGo
  }

  async #letGo(primary: Primary): Promise<boolean> {
    this.#touched = false
    const resting = await primary.rest()
    if (resting === undefined) return false
    this.#primary = undefined
    this.#resting = resting
    this.#since = undefined
    this.#c.budget.leave()
    this.#become('resting')
    if (this.#touched) this.touch()
    return true
  }

  /** Uploads what is left and ends, once. Returns undefined if it never was open. */
  close(state: ClosedState = 'queued', options: CloseOptions = {}): Promise<CloseReport | undefined> {
    this.#closed.abort()
    this.#closing ??= this.#close(state, options)
    // The file of one that was stopped may go.
    return state === 'gone' ? this.#closing.finally(() => this.#become(state)) : this.#closing
  }

  async #close(state: ClosedState, options: CloseOptions): Promise<CloseReport | undefined> {
    await this.#opening
    await this.#lettingGo?.catch(() => false)
    const left = { primary: this.#primary, resting: this.#resting, parked: this.#parked }
    this.#since ??= left.primary?.status.unreplicatedSince ?? Date.now()
    this.#primary = undefined
    this.#resting = undefined
    this.#parked = undefined
    this.#become(state)
    try {
      this.#report = await closeMember(left, options)
      return this.#report
    } finally {
      if (left.primary !== undefined) this.#c.budget.leave()
    }
  }

  async #openUntilOpen(): Promise<void> {
    const signal = AbortSignal.any([this.#closed.signal, this.#c.signal])
    while (!signal.aborted) {
      try {
        this.#attempt = this.#openOnce(signal)
        await this.#attempt
        return
      } catch (error) {
        if (signal.aborted) return
        this.#lastError = error as Error
        this.#since = Math.min(this.#since ?? Date.now(), pendingSince(this.database.path) ?? Date.now())
        const retryInMs = this.#retryMs * (0.75 + Math.random() / 2)
        this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
        this.#become('failed')
        this.#c.emit({ type: 'open-failed', database: this.database, error: error as Error, retryInMs })
        await sleep(retryInMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  async #openOnce(signal: AbortSignal): Promise<void> {
    const { budget, openings, primary: context } = this.#c
    if (this.#state !== 'resting') this.#become('queued')
    await budget.enter(signal)
    let primary: Primary | undefined
    try {
      primary = await openings.run(
        async () => {
          this.#become('opening')
          const log = await this.#c.log()
          const resting = this.#resting
          // Whatever comes of the attempt: a failed one has given the lease back.
          this.#resting = undefined
          this.#parked = undefined
          return Primary.open(
            { ...primaryOptionsOf(this.#c, this.database), signal, onEvent: this.#onEvent },
            { ...context, log, resting, since: this.#since },
          )
        },
        { signal },
      )
    } finally {
      if (primary === undefined) budget.leave()
    }
    this.#primary = primary
    this.#since = undefined
    this.#lastError = undefined
    this.#retryMs = FIRST_RETRY_MS
    this.#become('open')
  }

  readonly #onEvent = (event: PrimaryEvent): void => {
    if (event.type === 'captured') this.#lastCommit = performance.now()
    this.#c.emit({ type: 'primary', database: this.database, event })
    if (event.type === 'state' && event.to === 'fenced') {
      this.#lastError = this.#primary?.status.lastError
      void this.close('fenced', { signal: AbortSignal.abort() })
    }
  }

  #become(state: MemberState): void {
    if (!canBecome(this.#state, state)) return
    this.#state = state
    this.#c.emit({ type: 'member', database: this.database, state })
  }
}
