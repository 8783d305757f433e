import { isLTXError, type TXID } from '@sqlstream/ltx'
import { isReplicaError, type Replica } from '@sqlstream/replica'
import { abortable, isStorageError, pause } from '@sqlstream/storage'
import { EngineClient, type StartEngine } from '../engine-client.ts'
import { closedError } from '../errors.ts'
import type { Copy, CopyState, OpenCopyOptions } from './copy.ts'
import { Gate } from './gate.ts'
import { type LocalContext, LocalReads, MAIN_SESSION } from './local-reads.ts'
import { NO_PAGES } from './no-pages.ts'

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 10_000

/** How a copy is made and read. */
export interface HydrateWith {
  open(options: OpenCopyOptions): Promise<Copy>
  /** The thread that reads it. Called when the copy is there. */
  readonly start: StartEngine
  /** How long a change of the copy may wait for readers before new queries go to the backup, ms. */
  readonly holdMs: number
}

/** What a hydration works with. */
export interface HydrationContext extends HydrateWith {
  readonly replica: Replica
  /** Between two looks for what is new while the copy does not serve, ms. */
  readonly intervalMs: number
  readonly now: () => number
}

/** Whom it tells. */
export interface HydrationListener {
  /** The state that was shown last: the copy must not serve an older one. */
  shown(): TXID
  /** Until when that was known to be the newest, ms since the Unix epoch. */
  confirmed(): number | undefined
  /** A newer state is shown from now on. */
  moved(state: CopyState): void
  /** Queries are answered by the copy from now on. */
  serving(state: CopyState): void
  /** Why the copy does not serve, or not yet. */
  failed(error: unknown): void
}

/** A local copy that is made in the background, and takes over queries while it is as new as what was shown. */
export class Hydration {
  readonly #c: HydrationContext
  readonly #gate: Gate
  readonly #stop = new AbortController()
  #listener: HydrationListener | undefined
  #copy: Copy | undefined
  #local: LocalContext | undefined
  /** Resolves when the copy serves no more; undefined while it does not. */
  #left: { readonly promise: Promise<undefined>; readonly resolve: (value: undefined) => void } | undefined
  #opening: Promise<void> = Promise.resolve()
  #round: Promise<boolean | undefined> | undefined
  #confirmed = Number.NEGATIVE_INFINITY
  #abandoned: Promise<unknown> | undefined
  #hasEnded = false
  #sessions = MAIN_SESSION

  constructor(context: HydrationContext) {
    this.#c = context
    this.#gate = new Gate(context.holdMs, () => {
      if (this.#leave()) void this.#catchUp(0)
    })
  }

  /** Whether the copy answers queries. */
  get isServing(): boolean {
    return this.#left !== undefined
  }

  /** When the state of the copy was known to be the newest one, ms since the Unix epoch. */
  get confirmed(): number {
    return this.#confirmed
  }

  begin(listener: HydrationListener): void {
    this.#listener = listener
    this.#opening = this.#open()
  }

  /** Reads of the state that the copy has now, to be released; undefined: not now. */
  async enter(signal: AbortSignal | undefined): Promise<LocalReads | undefined> {
    if (!this.isServing) return undefined
    if (this.#abandoned !== undefined && !(await this.#isDone(this.#abandoned, signal))) return undefined
    if (!(await this.#gate.enter(signal))) return undefined
    const { state } = this.#copy as Copy
    const { shown, moved } = this.#listener as HydrationListener
    if (!this.isServing || state.txid < shown()) {
      this.#gate.leave()
      return undefined
    }
    // Before anybody sees a row of it.
    if (state.txid > shown()) moved(state)
    return new LocalReads(this.#local as LocalContext, state)
  }

  /** Looks for newer states as `Follower.round` does. Undefined: the copy does not serve any more. */
  async round(isThorough: boolean): Promise<boolean | undefined> {
    const left = this.#left
    if (!left) return undefined
    if (isThorough) return await Promise.race([this.#look(true), left.promise])
    this.#round ??= Promise.race([this.#look(false), left.promise]).finally(() => {
      this.#round = undefined
    })
    return await this.#round
  }

  /** Ends it; the file stays. */
  async close(): Promise<void> {
    this.#stop.abort(closedError())
    await this.#opening
    await this.#dispose()
  }

  async #open(): Promise<void> {
    const { replica, open, start } = this.#c
    const { signal } = this.#stop
    try {
      // Whoever waits for the replica has it by then, and its listeners too.
      await pause(0, signal)
      const exclusively = this.#gate.exclusively.bind(this.#gate)
      this.#copy = await open({ replica, exclusively, signal })
      const client = new EngineClient(start, undefined, NO_PAGES)
      this.#local = {
        client,
        gate: this.#gate,
        confirmed: () => this.#listener?.confirmed(),
        nextSession: () => ++this.#sessions,
        unreadable: (error) => this.#end(error),
        abandoned: (until) => this.#abandon(until),
      }
      await client.start({ cacheBytes: 0, readAhead: {}, shared: undefined })
      await client.call({ type: 'open', session: MAIN_SESSION, at: MAIN_SESSION }, { signal })
    } catch (error) {
      this.#end(error)
      return
    }
    void this.#catchUp(0)
  }

  /** Brings the copy on until it may serve. */
  async #catchUp(waitMs: number): Promise<void> {
    const { signal } = this.#stop
    const { intervalMs } = this.#c
    const listener = this.#listener as HydrationListener
    for (let retryMs = FIRST_RETRY_MS; !this.#hasEnded; ) {
      try {
        await pause(waitMs, signal)
        const hasMoved = await this.#lookOnce(false)
        if (this.#hasEnded || signal.aborted) return
        // Also where it is older than the newest state: it has been compared with the backup, and what was shown is no newer.
        if ((this.#copy as Copy).state.txid >= listener.shown()) return this.#serve()
        retryMs = FIRST_RETRY_MS
        waitMs = hasMoved ? 0 : intervalMs
      } catch (error) {
        if (signal.aborted || this.#hasEnded) return
        if (isFinal(error)) return this.#end(error)
        listener.failed(error)
        waitMs = retryMs
        retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
      }
    }
  }

  async #look(isThorough: boolean): Promise<boolean | undefined> {
    try {
      let hasAdvanced = await this.#lookOnce(isThorough)
      if (!hasAdvanced) return false
      for (; hasAdvanced; hasAdvanced = await this.#lookOnce(false)) this.#show()
      return true
    } catch (error) {
      this.#show()
      // Nobody else would know more, and the copy is as good as before.
      if (isOfBackup(error) || this.#stop.signal.aborted || !this.isServing) throw error
      if (isFinal(error)) this.#end(error)
      else if (this.#leave()) {
        this.#listener?.failed(error)
        void this.#catchUp(FIRST_RETRY_MS)
      }
      return undefined
    }
  }

  async #lookOnce(everywhere: boolean): Promise<boolean> {
    const begun = this.#c.now()
    const hasMoved = await (this.#copy as Copy).look(everywhere)
    if (!hasMoved) this.#confirmed = begun
    return hasMoved
  }

  #show(): void {
    const { state } = this.#copy as Copy
    const { shown, moved } = this.#listener as HydrationListener
    if (this.isServing && state.txid > shown()) moved(state)
  }

  #serve(): void {
    if (this.isServing) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#left = { promise, resolve }
    this.#show()
    this.#listener?.serving((this.#copy as Copy).state)
  }

  /** True when it did serve until now. */
  #leave(): boolean {
    const left = this.#left
    this.#left = undefined
    left?.resolve(undefined)
    return left !== undefined
  }

  /** For good. */
  #end(error: unknown): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#leave()
    if (this.#stop.signal.aborted) return
    this.#listener?.failed(error)
    // Who reads it still may finish.
    void this.#gate.exclusively(() => this.#dispose(), undefined)
  }

  async #dispose(): Promise<void> {
    this.#hasEnded = true
    this.#leave()
    const [local, copy] = [this.#local, this.#copy]
    this.#local = undefined
    this.#copy = undefined
    // A statement cannot be stopped: nobody waits for one that runs on.
    const ending = local?.client.close()
    if (!this.#gate.isRead) await ending
    await copy?.close()
  }

  #abandon(until: Promise<unknown>): void {
    this.#abandoned = until
    void until.then(() => {
      if (this.#abandoned === until) this.#abandoned = undefined
    })
  }

  /** Whether something is done before a change would have waited for too long. */
  async #isDone(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<boolean> {
    const stop = new AbortController()
    const waiting = pause(this.#c.holdMs, stop.signal).then(
      () => false,
      () => true,
    )
    const done = work.then(() => true)
    try {
      return await abortable(Promise.race([done, waiting]), signal)
    } finally {
      stop.abort()
    }
  }
}

/** Whether the error is one of the backup, and not of the copy or of this machine. */
function isOfBackup(error: unknown): boolean {
  return isStorageError(error) || isReplicaError(error) || isLTXError(error)
}

/** Whether trying again cannot help. By its name: that package is loaded only where there is a copy. */
function isFinal(error: unknown): boolean {
  const isOwn = error instanceof Error && error.name === 'FollowerError'
  return isOwn || error instanceof TypeError || error instanceof RangeError
}
