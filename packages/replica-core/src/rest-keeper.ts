import { setTimeout as sleep } from 'node:timers/promises'
import { abortable } from '@sqlstream/storage'
import { HeldLease } from './lease/held-lease.ts'
import { returnLeaseInTime } from './lease/obtain-lease.ts'
import type { KnowledgeKeeper } from './maintenance/maintenance.ts'
import type { PrimaryOptions } from './options.ts'
import type { Primary } from './primary.ts'
import type { Resting } from './rest.ts'
import { tryReadOwnIdentity } from './state/own-identity.ts'
import {
  bootId,
  type KnownReplica,
  type RestRecord,
  readRestRecord,
  removeRestRecord,
  writeRestRecord,
} from './state/rest-record.ts'
import type { StateFolder } from './state/state-folder.ts'

const LAST_LOOK_MS = 10

/** Keeps the record of a database that rests, for the next process, for as long as it is true. */
export class RestKeeper implements KnowledgeKeeper {
  readonly #o: PrimaryOptions
  readonly #folder: StateFolder
  readonly #resting: Resting
  /** One change of the file at a time. */
  #work: Promise<void> = Promise.resolve()
  #ended = false
  /** What the disk has of us, as far as we know. */
  #written: RestRecord | undefined

  private constructor(options: PrimaryOptions, folder: StateFolder, resting: Resting) {
    this.#o = options
    this.#folder = folder
    this.#resting = resting
    if (resting.maintenance !== undefined) resting.maintenance.keeper = this
  }

  /** Records it. To be called while the local lock is held. */
  static async begin(options: PrimaryOptions, folder: StateFolder, resting: Resting): Promise<RestKeeper> {
    const keeper = new RestKeeper(options, folder, resting)
    await keeper.keep()
    return keeper
  }

  /** Writes it, if everything in it is known. A failure is no harm: the next start asks the replica then. */
  keep(known: KnownReplica | undefined = this.#resting.maintenance?.known): Promise<void> {
    this.#work = this.#work.then(async () => {
      const record = this.#ended ? undefined : this.#record(known)
      if (record === undefined) return
      this.#written = undefined
      await writeRestRecord(this.#folder, record, this.#o.failpoint).then(
        () => {
          this.#written = record
        },
        () => undefined,
      )
    })
    return this.#work
  }

  /** Whether the disk has something else than what was written last: another process has had the database since. */
  isForeign(found: RestRecord | undefined): boolean {
    const { at, lease } = this.#written ?? {}
    if (at === undefined) return false
    return (
      found?.at !== at || found.lease?.holder !== lease?.holder || found.lease?.renewal !== lease?.renewal
    )
  }

  /** Removes it before something of it becomes untrue. @throws the system's error: then nothing may be changed */
  async forget(): Promise<void> {
    await this.#work
    this.#written = undefined
    await removeRestRecord(this.#folder, this.#o.failpoint)
  }

  /** Writes nothing any more. What is there stays. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#work
  }

  #record(known: KnownReplica | undefined): RestRecord | undefined {
    const { replicaName: replica, maintenance } = this.#o
    const boot = bootId()
    const databaseId = tryReadOwnIdentity(this.#folder)?.databaseId
    if (replica === undefined || boot === undefined || databaseId === undefined) return undefined
    if (known === undefined && maintenance !== 'never') return undefined
    const { pos, signature, wal, walEnd, at, lease } = this.#resting
    const version = lease instanceof HeldLease ? lease.record : undefined
    return {
      replica,
      databaseId,
      boot,
      at,
      pos,
      signature,
      wal,
      walEnd,
      lease: version && { holder: version.holder, renewal: version.renewal },
      known,
    }
  }
}

/** What an earlier rest has left. */
export interface LeftRest {
  /** Of this process, if no other has had the database since. */
  readonly resting: Resting | undefined
  readonly recorded: RestRecord | undefined
}

/**
 * Looks at what an earlier rest has left of a database that is opened now. Where another process has replicated it meanwhile (one that was
 * started by hand, say), what we know of its replica holds no more, nor does our lease, which is given back if it is there still.
 */
export async function lookAtRest(
  options: PrimaryOptions,
  folder: StateFolder,
  resting: Resting | undefined,
): Promise<LeftRest> {
  await resting?.keeper?.end()
  if (resting?.maintenance !== undefined) resting.maintenance.keeper = undefined
  const recorded = await readRestRecord(folder, options.replica.layout)
  if (resting?.keeper?.isForeign(recorded) !== true) return { resting, recorded }
  await resting.maintenance?.stop()
  await returnLeaseInTime(resting.lease)
  return { resting: undefined, recorded }
}

/** How long databases may take to come to rest at the end of the process, beside their uploads. */
export interface LastRests {
  /** Ends it for all of them. */
  readonly signal: AbortSignal
  readonly eachMs: number
}

/**
 * Lets a database rest at the end of the process, so that the next one need not open it: what is left is uploaded and copied into the
 * database file. Undefined when that is not done in time: close it then.
 *
 * @param signal ends the wait for the uploads
 * @param inTime ends everything else
 */
export async function restAtEnd(
  primary: Primary,
  signal: AbortSignal | undefined,
  inTime: LastRests,
): Promise<Resting | undefined> {
  try {
    await primary.durable(signal && { signal })
    const limit = AbortSignal.any([
      inTime.signal,
      AbortSignal.timeout(inTime.eachMs),
      ...(signal ? [signal] : []),
    ])
    limit.throwIfAborted()
    const resting = await primary.rest()
    if (resting !== undefined) return resting
    await abortable(primary.checkpoint('passive', { signal: limit }), limit)
    for (;;) {
      const late = await primary.rest()
      if (late !== undefined) return late
      // Until the times of the file that was just written are proof.
      await sleep(LAST_LOOK_MS, undefined, { signal: limit })
    }
  } catch {
    return undefined
  }
}

/**
 * Ends a rest at the end of the process; the next one goes on from the record.
 * @param isNew the lease is given back even if its time is over: that of a database that rests for long costs no request
 */
export async function endRest({ maintenance, lease, keeper }: Resting, isNew = false): Promise<void> {
  const known = maintenance?.known
  await maintenance?.stop()
  // A lease whose time is over keeps nobody out.
  if (lease instanceof HeldLease && (lease.fresh || isNew)) {
    await returnLeaseInTime(lease)
    // It names the version that was written last.
    await keeper?.keep(known)
  }
  await keeper?.end()
}
