import type { PageSize, Pos, TXID } from '@sqlstream/ltx'
import { TXIDWaiters } from '@sqlstream/replica'
import { Advance } from './advance.ts'
import { type FollowerClock, SYSTEM_CLOCK } from './clock.ts'
import { FollowerError, isFollowerError } from './errors.ts'
import type { FollowerEvent } from './events.ts'
import type { LocalCopy } from './local-copy.ts'
import { openCopy, readSource } from './open-copy.ts'
import type { FollowerOptions } from './options.ts'
import { Search } from './search.ts'
import { StaleWatch } from './stale-watch.ts'
import {
  createStateFolder,
  type LocalLock,
  removeStateFolder,
  type StateFolder,
  stateFolder,
  takeLocalLock,
} from './state-folder.ts'

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 10_000

/** How a copy stands. */
export interface FollowerStatus {
  readonly pos: Pos
  /** Header time of that state. */
  readonly timestamp: Date
  /** Pages. */
  readonly commit: number
  /** Milliseconds since the copy was known to be the newest state of the replica. */
  readonly lagMs: number
  /** `lagMs` is above the `maxLagMs` that was asked for, or the replica has not been looked at yet. */
  readonly isStale: boolean
}

/** The state of a copy, and its first page. */
export interface HeadPage {
  readonly pos: Pos
  readonly pageSize: PageSize
  /** Pages. */
  readonly commit: number
  readonly timestamp: Date
  readonly pageOne: Uint8Array
}

/** Pages and position of a copy, as a restore would give them. */
export interface CopyImage extends Omit<HeadPage, 'pageOne'> {
  /** Two words a page, low and high. */
  readonly pageSums: Uint32Array
  readonly databaseId: string | undefined
}

/** A local copy that is kept at the newest state of its replica. Readers open the file with any SQLite, read-only. */
export class Follower implements AsyncDisposable {
  readonly #o: FollowerOptions
  readonly #clock: FollowerClock
  readonly #folder: StateFolder
  readonly #lock: LocalLock
  readonly #copy: LocalCopy
  readonly #search: Search
  readonly #stale: StaleWatch
  readonly #stop: AbortController
  readonly #signal: AbortSignal
  readonly #waiters = new TXIDWaiters()
  readonly #emit: (event: FollowerEvent) => void
  #work: Promise<unknown> = Promise.resolve()
  #running: Promise<void> = Promise.resolve()
  #ended: Promise<void> | undefined
  #failure: Error | undefined
  #isCurrent = false

  /**
   * Opens the copy, or makes it from the newest state, and begins to follow.
   * @throws FollowerError, ReplicaError, the store's errors
   */
  static async open(options: FollowerOptions): Promise<Follower> {
    const { file, signal: outer, clock = SYSTEM_CLOCK } = options
    outer?.throwIfAborted()
    const stop = new AbortController()
    const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal
    const folder = stateFolder(file)
    // Before anything is created: a mistyped URL leaves nothing behind.
    const source = await readSource(options, signal)
    createStateFolder(folder)
    const lock = takeLocalLock(folder)
    try {
      const emit = (event: FollowerEvent): void => options.onEvent?.(event)
      const context = { ...options, ...source, signal, emit, now: () => clock.now() }
      const { copy, isForeign } = await openCopy(context, folder)
      const { databaseId } = source
      return new Follower(options, { folder, lock, copy, isForeign, databaseId, stop, signal, emit, clock })
    } catch (error) {
      lock.release()
      throw error
    }
  }

  private constructor(
    options: FollowerOptions,
    parts: {
      readonly folder: StateFolder
      readonly lock: LocalLock
      readonly copy: LocalCopy
      readonly isForeign: boolean
      readonly databaseId: string | undefined
      readonly stop: AbortController
      readonly signal: AbortSignal
      readonly emit: (event: FollowerEvent) => void
      readonly clock: FollowerClock
    },
  ) {
    const { folder, lock, copy, stop, signal, emit, clock } = parts
    this.#o = options
    this.#folder = folder
    this.#lock = lock
    this.#copy = copy
    this.#stop = stop
    this.#signal = signal
    this.#clock = clock
    this.#emit = (event) => {
      emit(event)
      if ('pos' in event) this.#waiters.reached(event.pos.txid)
    }
    this.#stale = new StaleWatch(options.maxLagMs, clock, this.#emit)
    const now = (): number => clock.now()
    this.#search = new Search({
      advance: new Advance({ replica: options.replica, copy, emit: this.#emit, signal, now }),
      copy,
      poll: options.poll || {},
      onDiverged: options.onDiverged ?? 'refuse',
      databaseId: parts.databaseId,
      isForeign: parts.isForeign,
    })
    if (options.poll === false) return
    this.#running = this.#run()
    // Told to whoever asks for `ended`, and to everyone who waits.
    this.#running.catch(() => undefined)
  }

  get status(): FollowerStatus {
    const { txid, postApplyChecksum, timestamp, commit } = this.#copy.position
    return {
      pos: { txid, postApplyChecksum },
      timestamp: new Date(timestamp),
      commit,
      lagMs: this.#stale.lagMs,
      isStale: this.#stale.isStale,
    }
  }

  /** What is needed of the copy to write behind it: its state, and page 1 as it is in the database. */
  head(): HeadPage {
    const { txid, postApplyChecksum, pageSize, commit, timestamp } = this.#copy.position
    const pos = { txid, postApplyChecksum }
    return { pos, pageSize, commit, timestamp: new Date(timestamp), pageOne: this.#copy.pageOne() }
  }

  /** Resolves when it is closed or its signal aborts; rejects with what made it end: FollowerError, or an error of this machine. */
  get ended(): Promise<void> {
    return this.#running
  }

  /** Applies what is in the replica now. @throws as a single look: FollowerError, ReplicaError `gap`, the store's errors */
  async catchUp(options: { readonly signal?: AbortSignal } = {}): Promise<Pos> {
    do options.signal?.throwIfAborted()
    while (await this.#serial(() => this.#look(true)))
    return this.status.pos
  }

  /**
   * One look for something new, for who has opened it with `poll: false`: everywhere, or by the cheapest way that is due. True when the copy has moved; then there may be more.
   *
   * @throws as `catchUp`; also the errors of this machine, such as a full disk, after which the copy is as before
   */
  async look({ everywhere = false }: { readonly everywhere?: boolean } = {}): Promise<boolean> {
    try {
      return await this.#serial(() => this.#look(everywhere))
    } catch (error) {
      this.#search.widen()
      throw error
    }
  }

  /** Resolves when the copy holds this transaction. @throws FollowerError `closed`, what made it end; the signal's reason */
  waitFor(txid: TXID, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#copy.position.txid >= txid) return Promise.resolve()
    if (this.#failure) return Promise.reject(this.#failure)
    return this.#waiters.wait(txid, options.signal)
  }

  /**
   * Ends following and makes the copy the database itself, in WAL mode, byte for byte what its writer had.
   *
   * @param adopt called while nobody can have changed it yet: notes what is needed to go on from here
   */
  async promote(adopt: (image: CopyImage) => Promise<void>): Promise<Pos> {
    const pos = await this.#serial(async () => {
      const { position, databaseId } = this.#copy
      const { sums, checksum } = this.#copy.scan()
      if (checksum !== position.postApplyChecksum) {
        throw new FollowerError('local-changed', `${this.#o.file} has other pages than were applied`)
      }
      const { txid, postApplyChecksum, pageSize, commit, timestamp } = position
      const pos = { txid, postApplyChecksum }
      await adopt({ pos, pageSize, commit, timestamp: new Date(timestamp), pageSums: sums, databaseId })
      await this.#copy.makeOriginal(this.#signal)
      this.#end(new FollowerError('closed', 'the copy is not followed any more'))
      return pos
    })
    await this.close()
    removeStateFolder(this.#folder)
    return pos
  }

  /** Lets the file go; it stays as it is. */
  close(): Promise<void> {
    this.#ended ??= this.#close()
    return this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS
    try {
      while (!this.#signal.aborted) {
        try {
          const moved = await this.#serial(() => this.#look(false))
          retryMs = FIRST_RETRY_MS
          if (!moved) await this.#clock.sleep(this.#search.everyMs, this.#signal)
        } catch (error) {
          if (this.#signal.aborted) break
          if (isFinal(error)) throw error
          this.#emit({ type: 'failed', error: error as Error, retryInMs: retryMs })
          this.#search.widen()
          await this.#clock.sleep(retryMs, this.#signal)
          retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
        }
      }
    } catch (error) {
      this.#end(error as Error)
      throw error
    }
    this.#end(new FollowerError('closed', 'the copy is not followed any more'))
  }

  /** One look for something new, by the cheapest way that is due. True when the copy has moved. */
  async #look(everything: boolean): Promise<boolean> {
    const began = this.#clock.now()
    const moved = await this.#search.look(began, everything)
    if (moved) this.#isCurrent = false
    else {
      this.#stale.current(began)
      if (!this.#isCurrent) this.#emit({ type: 'current', pos: this.status.pos })
      this.#isCurrent = true
    }
    return moved
  }

  /** One piece of work at a time on the file. */
  async #serial<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#work.then(async () => {
      if (this.#failure) throw this.#failure
      return await work()
    })
    this.#work = turn.catch(() => undefined)
    return await turn
  }

  #end(error: Error): void {
    this.#failure ??= error
    this.#stale.close()
    this.#waiters.end(error)
  }

  async #close(): Promise<void> {
    this.#stop.abort(new FollowerError('closed', 'the copy is not followed any more'))
    await this.#running.catch(() => undefined)
    await this.#work
    this.#end(new FollowerError('closed', 'the copy is not followed any more'))
    this.#copy.close()
    this.#lock.release()
  }
}

/** Whether looking again cannot help. */
function isFinal(error: unknown): boolean {
  return isFollowerError(error) || error instanceof TypeError || error instanceof RangeError
}
