import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Catalog,
  type CompactionPolicy,
  compact,
  createCatalog,
  DEFAULT_LEVELS,
  DEFAULT_RETENTION,
  type Doomed,
  filesOf,
  headOf,
  isReplicaError,
  type LTXFile,
  planCompaction,
  type Replica,
  type ReplicaWriter,
  type RetentionPolicy,
  retain,
  withFiles,
} from '@sqlstream/replica'
import type { Slots } from '@sqlstream/storage'
import type { PrimaryListener } from '../events.ts'
import type { FailpointHook } from '../failpoint.ts'
import type { PrimaryOptions } from '../options.ts'
import type { Limits } from '../primary-context.ts'
import type { KnownReplica } from '../state/rest-record.ts'
import type { VerificationPolicy } from './plan-verification.ts'
import { RecentFiles } from './recent-files.ts'
import { LONGEST_RETAIN_MS, RETAIN_EVERY_MS, retainIn } from './retain-in.ts'
import { startTimer } from './timer.ts'
import { Verification } from './verification.ts'

const NO_MERGES: CompactionPolicy = { levels: { every: [] }, snapshots: 'never' }
const FIRST_RETRY_MS = 5_000
const LAST_RETRY_MS = 600_000

/** What a primary does for its replica besides uploading. */
export interface MaintenanceOptions {
  /** Levels and snapshots. `never`: nothing is merged here. */
  readonly compaction?: CompactionPolicy | 'never'
  /** What stays restorable. Default: see `DEFAULT_RETENTION`. `never`: nothing is marked or removed here. */
  readonly retention?: RetentionPolicy | 'never'
  /** Shortest time between two looks for what nothing needs any more. Default 15 minutes. */
  readonly retainEveryMs?: number
  /** How often the newest state is proven restorable, and what that may read. Default `never`: it costs what a restore costs. */
  readonly verification?: VerificationPolicy | 'never'
}

/** Keeps what maintenance knows where another process finds it. */
export interface KnowledgeKeeper {
  forget(): Promise<void>
  keep(): Promise<void>
}

/** What maintenance works with. */
export interface MaintenanceContext {
  readonly replica: Replica
  readonly writer: ReplicaWriter
  readonly options: MaintenanceOptions
  readonly emit: PrimaryListener
  /** Shared with other databases: who merges and removes at once. Default: no limit. */
  readonly slots?: Slots | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly failpoint?: FailpointHook | undefined
}

/**
 * Merges what was uploaded when a slot of time is over, and now and then removes what is no longer needed for what is promised.
 * Knows the replica from the listing at the start and from its own uploads, so it never lists the files; while nothing new
 * comes there is nothing to merge, and looking for what has become too old takes no request until there is some.
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
  /** A run has begun to change the replica, and not come to its end. */
  #isDoubtful = false
  /** What retention has marked, as far as it is known. */
  #doomed: Doomed | undefined
  #retainAt: number
  readonly #verification: Verification | undefined
  /** Told before what is known of the replica becomes untrue, and when it is true again. */
  keeper: KnowledgeKeeper | undefined
  /** Of this process, so that not all make their snapshots at once. */
  readonly #jitter = Math.random()

  constructor(context: MaintenanceContext) {
    this.#c = context
    this.#retainAt = context.now() + this.#retainEvery
    const { options, replica, emit, now } = context
    const { verification: policy = 'never' } = options
    if (policy !== 'never')
      this.#verification = new Verification({
        replica,
        policy,
        emit,
        now,
        onLooked: () => void this.keeper?.keep(),
      })
  }

  get #retainEvery(): number {
    const { retention, retainEveryMs = RETAIN_EVERY_MS } = this.#c.options
    return retention === 'never' ? Number.POSITIVE_INFINITY : retainEveryMs
  }

  /** How files are merged; no levels and no snapshots where others see to it. */
  get #compaction(): CompactionPolicy {
    const { compaction } = this.#c.options
    return compaction === 'never' ? NO_MERGES : { jitter: this.#jitter, ...compaction }
  }

  /** When a state was last proven restorable, ms since the epoch; undefined where it is not verified, or not known yet. */
  get provenAt(): number | undefined {
    return this.#verification?.provenAt
  }

  /** What is known of the replica; undefined while that changes, and when it ended in the middle of something. */
  get known(): KnownReplica | undefined {
    if (this.#running !== undefined || this.#isDoubtful) return undefined
    return {
      catalog: withFiles(this.#catalog, this.#uploaded),
      doomed: this.#doomed,
      dueAt: Number.isFinite(this.#timerAt) ? this.#timerAt : undefined,
      retainAt: Number.isFinite(this.#retainAt) ? this.#retainAt : undefined,
      verifyAt: this.#verification && (this.#verification.dueAt ?? 'never'),
    }
  }

  /** What the replica holds, as listed or as another process has left it. */
  begin(catalog: Catalog, known?: KnownReplica): void {
    this.#catalog = catalog
    this.#doomed = known?.doomed
    this.#retainAt = Math.min(known?.retainAt ?? Number.POSITIVE_INFINITY, this.#retainAt)
    const { merges, nextAt } = planCompaction(catalog, this.#c.now(), this.#compaction)
    if (merges.length > 0) this.#runAt(this.#c.now())
    else if (nextAt !== undefined) this.#runAt(nextAt)
    if (filesOf(catalog).length > 0) this.#runAt(this.#retainAt)
    this.#verification?.begin(headOf(catalog))
  }

  /** A file is in the replica now. Its bytes, if it is small, spare a request. */
  uploaded(file: LTXFile, bytes?: Uint8Array): void {
    this.#uploaded.push(file)
    if (bytes) this.#recent.add(file, bytes)
    this.#runAtEndOfSlot()
    this.#verification?.uploaded(file)
  }

  /** Ends the proof that runs, at once, and begins no other: what is left to upload goes first, or the replica is not ours any more. */
  async stopVerifying(): Promise<void> {
    await this.#verification?.stop()
  }

  /** Ends what runs, at once; another start goes on. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await Promise.all([this.#running, this.#verification?.stop()])
  }

  #runAt(time: number): void {
    if (this.#stop.signal.aborted || this.#timerAt <= time) return
    this.#timerAt = time
    clearTimeout(this.#timer)
    this.#timer = startTimer(time, this.#c.now(), () => this.#start())
  }

  #runAtEndOfSlot(): void {
    const { levels = DEFAULT_LEVELS } = this.#compaction
    const [every] = levels.every
    if (every !== undefined) this.#runAt((Math.floor(this.#c.now() / every) + 1) * every)
    // Where nothing is merged, the replica may have been empty at the start.
    else this.#runAt(this.#retainAt)
  }

  #start(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    // What was uploaded meanwhile is seen to when it ends.
    if (this.#running !== undefined) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#uploaded.length > 0) this.#runAtEndOfSlot()
      void this.keeper?.keep()
    })
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let operation: 'compaction' | 'retention' = 'compaction'
    for (
      let retryInMs = FIRST_RETRY_MS;
      !signal.aborted;
      retryInMs = Math.min(2 * retryInMs, LAST_RETRY_MS)
    ) {
      try {
        const work = async (): Promise<number | undefined> => {
          operation = 'compaction'
          this.#isDoubtful = true
          await this.keeper?.forget()
          const next = await this.#compact(signal)
          operation = 'retention'
          if (this.#mayRetain()) await this.#retain(signal)
          return next
        }
        const nextAt = await (this.#c.slots?.run(work, { signal }) ?? work())
        this.#isDoubtful = false
        this.#runAt(Math.min(nextAt ?? this.#retainAt, this.#retainAt))
        return
      } catch (error) {
        // Uploading has met the other writer too, and says so.
        if (signal.aborted || isReplicaError(error, 'fenced')) return
        this.#c.emit({ type: 'failed', operation, error: error as Error, retryInMs })
        await sleep(retryInMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  /** Also when its time is further away than it can be: the clock has gone back. */
  #mayRetain(): boolean {
    const wait = this.#retainAt - this.#c.now()
    return wait <= 0 || wait > Math.max(this.#retainEvery, LONGEST_RETAIN_MS)
  }

  async #compact(signal: AbortSignal): Promise<number | undefined> {
    const { replica, writer, now, emit, failpoint } = this.#c
    const policy = this.#compaction
    this.#catalog = withFiles(this.#catalog, this.#uploaded.splice(0))
    failpoint?.('merge:before')
    const { catalog, nextAt } = await compact(replica, writer, this.#catalog, {
      policy,
      now,
      signal,
      local: this.#recent.bytesOf,
      onMerged: ({ file, inputs, milliseconds }) => {
        failpoint?.('merge:after')
        this.#catalog = withFiles(this.#catalog, [file])
        this.#recent.drop(inputs)
        emit({ type: 'compacted', file, inputs: inputs.length, bytes: file.size, milliseconds })
      },
    })
    this.#catalog = catalog
    return nextAt
  }

  async #retain(signal: AbortSignal): Promise<void> {
    const { replica, writer, options, now, emit, failpoint } = this.#c
    const { retention: policy = DEFAULT_RETENTION } = options
    if (policy === 'never') return
    failpoint?.('retain:before')
    const { removed, bytesFreed, plan, catalog, doomed } = await retain(replica, writer.lease, policy, {
      now: new Date(now()),
      catalog: this.#catalog,
      doomed: this.#doomed,
      signal,
      onRemoved: () => failpoint?.('retain:removed'),
    })
    failpoint?.('retain:after')
    this.#catalog = catalog
    this.#doomed = doomed
    if (removed.length > 0) {
      const { oldest } = plan.outlook
      emit({
        type: 'retained',
        removed: removed.length,
        bytes: bytesFreed,
        ...(oldest && { oldest: { txid: oldest.txid, timestamp: oldest.time } }),
      })
    }
    this.#retainAt =
      now() + retainIn(catalog, doomed, { now: now(), grace: policy.grace, every: this.#retainEvery })
  }
}

/** The maintenance of a primary that has just started; undefined where others see to it. */
export function startMaintenance(
  { maintenance = {}, replica, now = Date.now, failpoint }: PrimaryOptions,
  parts: Pick<MaintenanceContext, 'writer' | 'emit'> & {
    readonly catalog: Catalog
    readonly known?: KnownReplica | undefined
    readonly limits?: Limits | undefined
  },
): Maintenance | undefined {
  if (maintenance === 'never') return undefined
  const { writer, emit, catalog, known, limits } = parts
  const slots = limits?.maintenances
  const started = new Maintenance({ replica, writer, options: maintenance, emit, slots, now, failpoint })
  started.begin(catalog, known)
  return started
}
