import { type BlobStore, Slots } from '@sqlstream/storage'
import { Budgets } from '../budget/budgets.ts'
import { tell } from '../events.ts'
import { assertLeases } from '../lease/obtain-lease.ts'
import { type CloseReport, isComplete } from '../report.ts'
import { assertSafeEngine } from '../sqlite/engine-gate.ts'
import { SQLiteThreads } from '../sqlite/sqlite-threads.ts'
import { countStates, durableAll, maintainAll, membersToRest } from './all-members.ts'
import { destinationOf } from './destination.ts'
import { Discovery } from './discovery.ts'
import type { DiscoveryEvent } from './discovery-events.ts'
import type { FleetDatabase, FleetEvent, FleetFailure, MemberState } from './fleet-events.ts'
import type { FleetOptions } from './fleet-options.ts'
import type { FleetReport } from './fleet-report.ts'
import { FolderWatches } from './folder-watches.ts'
import { Member } from './member.ts'
import type { MemberContext } from './member-context.ts'
import { OpenBudget } from './open-budget.ts'
import type { Candidate } from './scan-folder.ts'
import { SharedLog } from './shared-log.ts'

const REST_AFTER_MS = 60_000
const MOST_OPEN = 1000
const CONCURRENCY = 16
/** Records of databases that rest. */
const READS = 64
const LOOK_MS = 1000
/** At the end of the process, for those that are open to be found at rest by the next one. */
const LAST_RESTS_MS = 3000
/** While databases wait for others to rest. */
const PRESSED_LOOK_MS = 100

/**
 * Every database of a folder, replicated in one process. What rests costs a small record: no connection, no descriptor, no
 * timer, no request. A file event opens it; one that fails does not hold up another (SPEC.md, "Fleet").
 */
export class Fleet {
  readonly #o: FleetOptions
  readonly #members = new Map<string, Member>()
  /** Destinations that are taken, by whom. */
  readonly #destinations = new Map<string, string>()
  /** Databases whose destination is another's, by path. */
  readonly #outside = new Map<string, Candidate>()
  /** Paths that the operator stopped. */
  readonly #stopped = new Set<string>()
  readonly #threads = new SQLiteThreads()
  readonly #watches = new FolderWatches()
  readonly #log: SharedLog
  readonly #budget: OpenBudget
  readonly #abort = new AbortController()
  readonly #context: MemberContext
  readonly #leaving = new Set<Promise<unknown>>()
  #discovery: Discovery | undefined
  #timer: NodeJS.Timeout | undefined
  #closing: Promise<FleetReport> | undefined

  private constructor(options: FleetOptions) {
    this.#o = options
    this.#budget = new OpenBudget(options.maxOpen ?? MOST_OPEN)
    const { folder, logSegmentBytes: segmentBytes, primary } = options
    const { budgets: given } = options
    const budgets = given instanceof Budgets ? given : new Budgets({ disk: primary?.disk, ...given })
    const logOptions = { segmentBytes, failpoint: primary?.failpoint }
    this.#log = new SharedLog(folder.path, logOptions, (path, { message }) =>
      this.#emit({ type: 'warning', code: 'no-shared-log', path, message }),
    )
    this.#context = {
      options,
      budgets,
      primary: {
        threads: this.#threads,
        watches: this.#watches,
        limits: budgets.limits,
        disk: budgets.disk,
        onWriteLock: options.onWriteLock,
        assertLeases: this.#assertLeases,
      },
      log: () => this.#log.open(),
      budget: this.#budget,
      openings: new Slots(options.concurrency ?? CONCURRENCY),
      reads: new Slots(READS),
      emit: this.#emit,
      signal: this.#abort.signal,
    }
  }

  /**
   * Finds the databases and begins to replicate them. Resolves when all that are there are known, not when they are in
   * their replicas: see {@link settled}.
   *
   * @throws PrimaryError `unsafe-sqlite`; TypeError for a wrong pattern; the reason of the signal
   */
  static async open(options: FleetOptions): Promise<Fleet> {
    assertSafeEngine()
    const fleet = new Fleet(options)
    try {
      fleet.#discovery = await Discovery.open({ ...options.folder, watches: fleet.#watches }, (event) =>
        fleet.#onDiscovery(event),
      )
    } catch (error) {
      await fleet.close({ signal: AbortSignal.abort() })
      throw error
    }
    fleet.#look()
    return fleet
  }

  get members(): Iterable<Member> {
    return this.#members.values()
  }

  /** How many databases are in each state. */
  get counts(): Readonly<Record<MemberState, number>> {
    return countStates(this.members)
  }

  /** Resolves when each database was opened once, whether it is open now or rests. Those that fail are waited for. */
  async settled(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.settled()))
  }

  /**
   * Resolves when everything that was committed before this call, in the databases that are known by then, is in their
   * replicas. Returns those where it is not: their next attempt is not waited for.
   *
   * @throws the reason of the signal
   */
  durable(options: { readonly signal?: AbortSignal } = {}): Promise<readonly FleetFailure[]> {
    return durableAll(this.members, options.signal)
  }

  /** Opens those that rest since an earlier process, and whose maintenance has something to do. Happens by itself every second. */
  async maintain(): Promise<void> {
    const { now = Date.now } = this.#o.primary ?? {}
    await maintainAll(this.members, now())
  }

  /** The database at an absolute path; undefined when it is not one of the fleet. */
  member(path: string): Member | undefined {
    return this.#members.get(path)
  }

  /**
   * Uploads what is left of one database and lets it go, until {@link start}. The signal ends the wait for the uploads: the rest stays in
   * the spool. Returns undefined if it never was open.
   *
   * @throws RangeError for a path that is not one of the fleet
   */
  stop(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<CloseReport | undefined> {
    const member = this.#known(path)
    this.#stopped.add(path)
    return member.close('stopped', options)
  }

  /**
   * Takes up again a database that was stopped, or fenced; does nothing with any other. Resolves when it is open.
   *
   * @throws what keeps it from being opened now, though it is tried again; RangeError for a path that is not one of the fleet
   */
  async start(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#stopped.delete(path)
    const member = this.#known(path)
    if (member.closed) {
      await member.close()
      // Who else waited for that may have taken it up, or its file is gone.
      if (this.#known(path) === member) this.#members.set(path, member.successor())
    }
    await this.#known(path).started(options.signal)
  }

  #known(path: string): Member {
    const member = this.#members.get(path)
    if (member === undefined) throw new RangeError(`${path} is not one of the fleet`)
    return member
  }

  /** Uploads what is left and lets all of them go. The signal ends the wait for the uploads. */
  close(options: { readonly signal?: AbortSignal } = {}): Promise<FleetReport> {
    this.#closing ??= this.#close(options.signal)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(signal: AbortSignal | undefined): Promise<FleetReport> {
    clearTimeout(this.#timer)
    this.#abort.abort()
    await this.#discovery?.close()
    const slots = new Slots(this.#o.concurrency ?? CONCURRENCY)
    const incomplete: FleetDatabase[] = []
    const { lastRestsMs = LAST_RESTS_MS } = this.#o
    const inTime = { signal: AbortSignal.timeout(lastRestsMs), eachMs: lastRestsMs / 6 }
    // What fails with one must not leave the others open.
    const close = async (member: Member): Promise<number> => {
      const report = await member.close('queued', { signal, inTime }).catch(() => undefined)
      if (report === undefined || !isComplete(report) || member.state === 'fenced')
        incomplete.push(member.database)
      return report?.pendingFiles ?? 0
    }
    const pending = await Promise.all(
      [...this.#members.values()].map((member) => slots.run(() => close(member))),
    )
    await Promise.allSettled(this.#leaving)
    await this.#log.close()
    await this.#threads.end()
    this.#watches.close()
    const pendingFiles = pending.reduce((sum, files) => sum + files, 0)
    return { databases: pending.length, pendingFiles, incomplete }
  }

  #onDiscovery(event: DiscoveryEvent): void {
    if (this.#closing !== undefined) return
    switch (event.type) {
      case 'found':
        this.#add(event.candidate)
        break
      case 'changed':
        this.#members.get(event.path)?.touch(event.candidate)
        break
      case 'replaced':
        // The replica belongs to the name: the new file is compared, and goes on where the old one was.
        this.#members.get(event.candidate.path)?.touch()
        break
      case 'gone':
        this.#remove(event.candidate.path)
        break
      case 'warning':
        this.#emit(event)
        break
    }
  }

  #add(candidate: Candidate): void {
    const { path, relpath } = candidate
    const destination = destinationOf(this.#o.template ?? '{relpath}', relpath)
    if (destination === '/') {
      const message = `${path} is not replicated: its destination has no name`
      this.#emit({ type: 'warning', code: 'no-destination', path, message })
      return
    }
    const other = this.#destinations.get(destination)
    if (other !== undefined) {
      this.#outside.set(path, candidate)
      // One that is gone makes room when its last uploads are done.
      if (!this.#members.has(other)) return
      const message = `${path} is not replicated: ${other} has the same destination, ${destination}`
      this.#emit({ type: 'warning', code: 'destination-collision', path, message })
      return
    }
    this.#outside.delete(path)
    this.#destinations.set(destination, path)
    const database: FleetDatabase = { path, relpath, destination }
    const member = new Member(database, this.#context)
    this.#members.set(path, member)
    this.#emit({ type: 'found', database })
    if (this.#stopped.has(path)) void member.close('stopped')
    else void member.begin(candidate)
  }

  #remove(path: string): void {
    this.#outside.delete(path)
    const member = this.#members.get(path)
    if (member === undefined) return
    this.#members.delete(path)
    const leaving = member.close('gone').finally(() => {
      this.#leaving.delete(leaving)
      // Only now: whoever gets the destination next must not meet the last uploads of this one.
      this.#destinations.delete(member.database.destination)
      if (this.#closing === undefined) for (const each of [...this.#outside.values()]) this.#add(each)
    })
    this.#leaving.add(leaving)
    leaving.catch(() => undefined)
  }

  /** Lets databases go that rest, those first that were not written for longest; more of them while others wait. */
  #look(): void {
    const pressed = this.#budget.waiting
    this.#timer = setTimeout(() => this.#look(), pressed > 0 ? PRESSED_LOOK_MS : LOOK_MS)
    void this.maintain()
    const { restAfterMs = REST_AFTER_MS } = this.#o
    const when = { now: performance.now(), restAfterMs, waiting: pressed }
    for (const member of membersToRest(this.members, when)) void member.rest()
  }

  /** One probe for all: they are in one store. */
  #probe: Promise<void> | undefined
  readonly #assertLeases = (store: BlobStore): Promise<void> => {
    this.#probe ??= assertLeases(store, this.#abort.signal).catch((error: unknown) => {
      this.#probe = undefined
      throw error
    })
    return this.#probe
  }

  readonly #emit = (event: FleetEvent): void => tell(this.#o.onEvent, event)
}
