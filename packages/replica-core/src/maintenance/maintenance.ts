import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Catalog,
  type CompactionPolicy,
  compact,
  createCatalog,
  DEFAULT_LEVELS,
  filesOf,
  isReplicaError,
  type LTXFile,
  planCompaction,
  type Replica,
  type ReplicaWriter,
} from '@sqlstream/replica'
import type { PrimaryListener } from '../events.ts'
import type { FailpointHook } from '../failpoint.ts'
import { RecentFiles } from './recent-files.ts'

const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 600_000
/** Timers of the system reach no further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** What a primary does for its replica besides uploading. */
export interface MaintenanceOptions {
  /** Levels and snapshots. */
  readonly compaction?: CompactionPolicy
}

/** What maintenance works with. */
export interface MaintenanceContext {
  readonly replica: Replica
  readonly writer: ReplicaWriter
  readonly options: MaintenanceOptions
  readonly emit: PrimaryListener
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly failpoint?: FailpointHook | undefined
}

/**
 * Merges what was uploaded when a slot of time is over. Knows the replica from the listing at the start and from its own
 * uploads, so it never lists; while nothing new comes there is no timer and no request.
 */
export class Maintenance {
  readonly #c: MaintenanceContext
  readonly #stop = new AbortController()
  readonly #recent = new RecentFiles()
  #catalog: Catalog = createCatalog([])
  /** Uploaded since the last run. */
  #uploaded: LTXFile[] = []
  #timer: NodeJS.Timeout | undefined
  /** When the timer ends, milliseconds since 1970. */
  #timerAt = Number.POSITIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(context: MaintenanceContext) {
    this.#c = context
  }

  /** What the replica holds. */
  begin(catalog: Catalog): void {
    this.#catalog = catalog
    const { merges, nextAt } = planCompaction(catalog, this.#c.now(), this.#c.options.compaction)
    if (merges.length > 0) this.#runAt(this.#c.now())
    else if (nextAt !== undefined) this.#runAt(nextAt)
  }

  /** A file is in the replica now. Its bytes, if it is small, spare a request. */
  uploaded(file: LTXFile, bytes?: Uint8Array): void {
    this.#uploaded.push(file)
    if (bytes) this.#recent.add(file, bytes)
    this.#runAtEndOfSlot()
  }

  /** Ends what runs, at once; another start goes on. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #runAt(time: number): void {
    if (this.#stop.signal.aborted || this.#timerAt <= time) return
    this.#timerAt = time
    clearTimeout(this.#timer)
    const wait = Math.min(Math.max(0, time - this.#c.now()), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#start(), wait)
    this.#timer.unref()
  }

  #runAtEndOfSlot(): void {
    const { levels = DEFAULT_LEVELS } = this.#c.options.compaction ?? {}
    const [every] = levels.every
    if (every !== undefined) this.#runAt((Math.floor(this.#c.now() / every) + 1) * every)
  }

  #start(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    // What was uploaded meanwhile is seen to when it ends.
    if (this.#running !== undefined) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#uploaded.length > 0) this.#runAtEndOfSlot()
    })
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (
      let retryInMs = FIRST_RETRY_MS;
      !signal.aborted;
      retryInMs = Math.min(2 * retryInMs, LAST_RETRY_MS)
    ) {
      try {
        const nextAt = await this.#compact(signal)
        if (nextAt !== undefined) this.#runAt(nextAt)
        return
      } catch (error) {
        // Uploading has met the other writer too, and says so.
        if (signal.aborted || isReplicaError(error, 'fenced')) return
        this.#c.emit({ type: 'failed', operation: 'compaction', error: error as Error, retryInMs })
        await sleep(retryInMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  async #compact(signal: AbortSignal): Promise<number | undefined> {
    const { replica, writer, options, now, emit, failpoint } = this.#c
    this.#catalog = createCatalog([...filesOf(this.#catalog), ...this.#uploaded.splice(0)])
    failpoint?.('merge:before')
    const { catalog, nextAt } = await compact(replica, writer, this.#catalog, {
      ...(options.compaction && { policy: options.compaction }),
      now,
      signal,
      local: this.#recent.open,
      onMerged: ({ file, inputs, milliseconds }) => {
        failpoint?.('merge:after')
        this.#catalog = createCatalog([...filesOf(this.#catalog), file])
        this.#recent.drop(inputs)
        emit({ type: 'compacted', file, inputs: inputs.length, bytes: file.size, milliseconds })
      },
    })
    this.#catalog = catalog
    return nextAt
  }
}
