import type { PrimaryEvent } from './events.ts'
import type { FolderWatches } from './fleet/folder-watches.ts'
import { WALWatch } from './watch.ts'

const POLL_MS = 1000
const REFRESH_MS = 200
const LONGEST_RECHECK_MS = 128
/** After so many looks in a row with so many events each... */
const BUSY_LOOKS = 3
const BUSY_EVENTS = 8
/** ...the WAL is not watched for so long, but looked at every few milliseconds. */
const UNWATCHED_MS = 2000

/** What the schedule calls. All must settle their own errors. */
export interface ScheduleCallbacks {
  /** Look at the WAL. Returns when to look again, ms; `soon` to follow an event that came before its commit was visible. */
  look(): Promise<number | 'soon' | undefined>
  /** Every 200 ms. */
  refresh(): Promise<void>
  /** Every second, in case that an event was lost. */
  poll(): Promise<void>
}

/**
 * When to look at the WAL: after a file event and a few quiet milliseconds, again shortly after an
 * event that brought nothing (it comes before the commit is visible), and every second anyway.
 *
 * A watched file makes each write of the application dearer, and wakes this process up for it. So a busy
 * one is not watched: looking every few milliseconds finds as much, for less.
 */
export class WALSchedule {
  readonly #callbacks: ScheduleCallbacks
  readonly #quietMs: number
  readonly #maxDelayMs: number
  readonly #watch: WALWatch
  readonly #poll: NodeJS.Timeout
  readonly #refresh: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined
  /** When the timer ends, on the clock of `performance.now`; never when there is none. */
  #timerEnd = Number.POSITIVE_INFINITY
  #urgent: NodeJS.Timeout | undefined
  #firstEvent: number | undefined
  #lastEvent = Number.NEGATIVE_INFINITY
  #recheckMs = 0
  #events = 0
  #busyLooks = 0
  /** When to watch again, on the clock of `performance.now`; undefined while watching. */
  #watchAt: number | undefined
  #closed = false

  /** @param watches shared by the databases of a process; default: one of its own */
  constructor(
    database: string,
    times: { quietMs: number; maxDelayMs: number },
    callbacks: ScheduleCallbacks,
    watches?: FolderWatches,
  ) {
    this.#callbacks = callbacks
    this.#quietMs = times.quietMs
    this.#maxDelayMs = times.maxDelayMs
    this.#watch = new WALWatch(database, () => this.event(), watches)
    // Polling keeps the process alive; everything else is only a matter of being quicker.
    this.#poll = setInterval(() => void callbacks.poll(), POLL_MS)
    this.#refresh = setInterval(() => void callbacks.refresh(), REFRESH_MS)
    this.#refresh.unref()
    this.event()
  }

  /** False where the system gives no file events, and while there are too many. */
  get hasEvents(): boolean {
    return this.#watch.active
  }

  /** Something may have been written. */
  event(): void {
    this.#recheckMs = 0
    this.#events++
    this.#lastEvent = performance.now()
    this.#firstEvent ??= this.#lastEvent
    // A busy writer makes thousands of events a second. So a timer that ends in time stays, and sees to the
    // rest itself; setting it anew each time costs more, and could put it off for ever.
    const due = Math.max(this.#quietAt(), this.#lastEvent)
    if (this.#timerEnd > due) this.lookIn(due - this.#lastEvent)
  }

  /** Looks after so many milliseconds, unless an event comes first. */
  lookIn(milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timerEnd = performance.now() + milliseconds
    this.#timer = setTimeout(() => this.#onTimer(), milliseconds)
    this.#timer.unref()
  }

  /** When the quiet after the last event is long enough, or patience ends. */
  #quietAt(): number {
    const patience = (this.#firstEvent ?? this.#lastEvent) + this.#maxDelayMs
    return Math.min(this.#lastEvent + this.#quietMs, patience)
  }

  #onTimer(): void {
    this.#timerEnd = Number.POSITIVE_INFINITY
    const wait = this.#firstEvent === undefined ? 0 : this.#quietAt() - performance.now()
    if (wait >= 1) {
      this.lookIn(wait)
      return
    }
    this.#firstEvent = undefined
    void this.#look()
  }

  /** Looks after so many milliseconds, whatever events come meanwhile. */
  lookWithin(milliseconds: number): void {
    this.#urgent ??= setTimeout(() => {
      this.#urgent = undefined
      void this.#look()
    }, milliseconds).unref()
  }

  async #look(): Promise<void> {
    this.#rest()
    const next = await this.#callbacks.look()
    if (this.#closed) return
    if (this.#watchAt !== undefined) {
      this.lookIn(this.#quietMs)
      return
    }
    if (next === undefined) return
    if (next !== 'soon') {
      this.lookIn(next)
      return
    }
    this.#recheckMs = this.#recheckMs === 0 ? 2 : this.#recheckMs * 2
    if (this.#recheckMs <= LONGEST_RECHECK_MS) this.lookIn(this.#recheckMs)
  }

  /** Stops watching a busy WAL, and begins again after a while, first of all with a look. */
  #rest(): void {
    this.#busyLooks = this.#events >= BUSY_EVENTS ? this.#busyLooks + 1 : 0
    this.#events = 0
    const now = performance.now()
    if (this.#watchAt !== undefined && now >= this.#watchAt) {
      this.#watchAt = undefined
      this.#watch.open()
    } else if (this.#busyLooks >= BUSY_LOOKS && this.#watchAt === undefined && this.#watch.active) {
      this.#watchAt = now + UNWATCHED_MS
      this.#watch.close()
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#urgent)
    clearInterval(this.#poll)
    clearInterval(this.#refresh)
    this.#watch.close()
  }
}

/** What is told where the system gives none. */
export function noFileEvents(database: string): PrimaryEvent {
  const message = `no file events for ${database}; commits are found by polling`
  return { type: 'warning', code: 'no-file-events', message }
}
