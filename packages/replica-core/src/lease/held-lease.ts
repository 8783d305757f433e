import { randomUUID } from 'node:crypto'
import type { TXID } from '@sqlstream/ltx'
import { type Epoch, LEASE_KEY, type Lease } from '@sqlstream/replica'
import { abortable, type BlobStore, type ETag, StorageError } from '@sqlstream/storage'
import { Serial } from '../serial.ts'
import { ageOf, ENDED, instantOf, type LeaseClock, type LeaseInstant } from './clock.ts'
import { type FoundLease, readLease, swapLease } from './lease-object.ts'
import { describeOther, lostLease } from './lost-lease.ts'
import { type HoldPlan, planHold } from './plan-lease.ts'
import type { LeaseRecord } from './record.ts'

interface WorkOptions {
  readonly signal?: AbortSignal | undefined
}

type DuringOptions = NonNullable<Parameters<Lease['during']>[1]>

/** Who takes a lease, and how. */
export interface HolderOptions {
  readonly owner: string
  readonly place: string
  readonly ttlMs: number
  readonly clock: LeaseClock
}

/**
 * A lease in the store. It is renewed while work is done under it and not otherwise, so a database that rests costs no request;
 * its time runs out then, and the next work begins with a renewal. As long as nobody else took it, that succeeds.
 */
export class HeldLease implements Lease {
  /** When it was taken: files of a former holder might still arrive. */
  readonly formerMayWrite: boolean
  /** When it was taken: a base that a former holder was about to send. It may be in the replica, or arrive, or never. */
  readonly lateBase: TXID | undefined
  /** The version that it was taken from. */
  readonly former: LeaseRecord | undefined
  readonly #store: BlobStore
  readonly #options: HolderOptions
  readonly #lost = new AbortController()
  #record: LeaseRecord
  #etag: ETag
  /** Before the last renewal that succeeded was sent. */
  #renewed: LeaseInstant
  #renewing: Promise<void> | undefined
  readonly #writes = new Serial()
  /** Files of former holders may still arrive: none of ours lies in their way yet. */
  #formerInFlight: boolean
  /** The last work ended without an answer: what it sent may still arrive. */
  #doubtful = false

  private constructor(
    store: BlobStore,
    options: HolderOptions,
    taken: { record: LeaseRecord; etag: ETag; at: LeaseInstant; former: LeaseRecord | undefined },
  ) {
    this.#store = store
    this.#options = options
    this.#record = taken.record
    this.#etag = taken.etag
    this.#renewed = taken.at
    this.#formerInFlight = taken.record.inFlight
    this.formerMayWrite = taken.record.inFlight
    this.lateBase = taken.record.base
    this.former = taken.former
  }

  /**
   * Writes the first record of a new holder in the place of the version `before`.
   * @returns undefined when somebody else wrote meanwhile
   */
  static async take(
    store: BlobStore,
    options: HolderOptions,
    plan: { readonly epoch: Epoch; readonly formerMayWrite: boolean },
    before: FoundLease | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HeldLease | undefined> {
    const { owner, place, ttlMs, clock } = options
    const at = instantOf(clock)
    const record: LeaseRecord = {
      epoch: plan.epoch,
      state: 'held',
      inFlight: plan.formerMayWrite,
      ...(before?.record.base !== undefined && { base: before.record.base }),
      owner,
      holder: randomUUID(),
      place,
      renewal: 0,
      ttlMs,
      since: new Date(at.wall).toISOString(),
      expires: new Date(at.wall + ttlMs).toISOString(),
    }
    const etag = await swapLease(store, record, before?.etag, { signal })
    return etag && new HeldLease(store, options, { record, etag, at, former: before?.record })
  }

  get owner(): string {
    return this.#options.owner
  }

  get epoch(): Epoch {
    return this.#record.epoch
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** What was written last. */
  get record(): LeaseRecord {
    return this.#record
  }

  /** Whether it keeps others out for a while yet. */
  get fresh(): boolean {
    return !this.signal.aborted && this.#hold !== 'stale'
  }

  async during<T>(work: (signal: AbortSignal) => Promise<T>, options: DuringOptions = {}): Promise<T> {
    await this.#confirm(options)
    const late = new AbortController()
    const done = new AbortController()
    const signals = [this.signal, late.signal, ...(options.signal ? [options.signal] : [])]
    const keeping = this.#keep(late, done.signal)
    try {
      this.#doubtful = true
      const result = await work(AbortSignal.any(signals))
      this.#doubtful = false
      // A process that was paused may come back long after its time: what it did counts only if nobody took over meanwhile.
      if (this.#hold === 'stale') await this.renew(options)
      if (options.appends === true) this.#formerInFlight = false
      return result
    } catch (error) {
      // What the work makes of an abort is its own affair; why it had to end is ours to say.
      if (late.signal.aborted && !this.signal.aborted && !options.signal?.aborted) throw late.signal.reason
      throw error
    } finally {
      done.abort(ENDED)
      await keeping
    }
  }

  renew(options: WorkOptions = {}): Promise<void> {
    this.#assertHeld(options.signal)
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    return abortable(this.#renewing, options.signal)
  }

  async announceBase(txid: TXID, options: WorkOptions = {}): Promise<void> {
    if (this.#record.base === txid) return
    await this.#inTurn(options, async () => {
      this.#assertHeld()
      const before = this.#record.base
      this.#record = { ...this.#record, base: txid }
      try {
        await this.#write('held', options.signal)
      } catch (error) {
        // Not known to be written: to be announced again.
        this.#record = { ...this.#record, base: before }
        throw error
      }
    })
  }

  /**
   * Raises the epoch above one that a file of the replica has: the lease object was lost, and counting began anew.
   * @throws as `renew`
   */
  async raiseAbove(epoch: bigint, options: WorkOptions = {}): Promise<void> {
    await this.#inTurn(options, async () => {
      if (epoch < this.epoch) return
      this.#assertHeld()
      this.#record = { ...this.#record, epoch: (epoch + 1n) as Epoch }
      await this.#write('held', options.signal)
    })
  }

  /**
   * Gives it back: the next writer need not wait. Does nothing when it is lost.
   * @throws the store's errors: it ends by itself then
   */
  async release(options: WorkOptions = {}): Promise<void> {
    await this.#inTurn(options, async () => {
      if (this.signal.aborted) return
      await this.#write('released', options.signal)
      this.#lose('it was released')
    })
  }

  /** One version after the other: two that follow the same one would be taken for those of two writers. */
  async #inTurn(options: WorkOptions, write: () => Promise<void>): Promise<void> {
    const written = this.#writes.run(async () => {
      options.signal?.throwIfAborted()
      await write()
    })
    await abortable(written, options.signal)
  }

  get #hold(): HoldPlan {
    const { ttlMs, clock } = this.#options
    return planHold(ageOf(this.#renewed, clock), ttlMs)
  }

  /** Ensures that what is written now arrives in time. */
  async #confirm(options: WorkOptions): Promise<void> {
    this.#assertHeld(options.signal)
    const hold = this.#hold
    if (hold === 'stale') await this.renew(options)
    else if (hold === 'due') this.#renewBeside()
  }

  /** Renews while work goes on, and ends the work when that does not succeed in time. */
  async #keep(late: AbortController, done: AbortSignal): Promise<void> {
    const { ttlMs, clock } = this.#options
    try {
      for (;;) {
        await clock.sleep(ttlMs / 12, done)
        const hold = this.#hold
        if (hold === 'fresh') continue
        this.#renewBeside()
        if (hold === 'due') continue
        late.abort(this.#failure('timeout', `the lease could not be renewed within ${ttlMs} ms`))
        return
      }
    } catch {
      // The work is done.
    }
  }

  #renewBeside(): void {
    // A failure is met again by whoever needs the lease; its loss is told by the signal.
    this.renew().catch(() => undefined)
  }

  async #renew(): Promise<void> {
    const { ttlMs } = this.#options
    const limit = AbortSignal.timeout(ttlMs)
    try {
      const signal = AbortSignal.any([limit, this.signal])
      await this.#inTurn({ signal }, () => this.#write('held', signal))
    } catch (error) {
      if (limit.aborted) throw this.#failure('timeout', `no answer within ${ttlMs} ms`)
      throw error
    }
  }

  /** Writes the next version. @throws ReplicaError `fenced` when another writer was first, the store's errors */
  async #write(state: LeaseRecord['state'], signal: AbortSignal | undefined): Promise<void> {
    const { ttlMs, clock } = this.#options
    for (;;) {
      const at = instantOf(clock)
      // The number is used up even if the answer is lost: the bytes of each attempt are its own.
      this.#record = {
        ...this.#record,
        state,
        inFlight: this.#formerInFlight || this.#doubtful,
        renewal: this.#record.renewal + 1,
        expires: new Date(at.wall + ttlMs).toISOString(),
      }
      const etag = await swapLease(this.#store, this.#record, this.#etag, { signal })
      if (etag !== undefined) {
        this.#etag = etag
        this.#renewed = at
        return
      }
      await this.#adopt(signal)
    }
  }

  /** Our version is gone: an earlier attempt of ours was carried out after all, and its version is ours too; or it is lost. */
  async #adopt(signal: AbortSignal | undefined): Promise<void> {
    const found = await readLease(this.#store, { signal })
    const ours = found?.record.holder === this.#record.holder
    // Not taken by anybody: a disk that was away for a moment, say.
    if (ours && found.etag === this.#etag) throw this.#failure('unavailable', 'its version was refused')
    if (found === undefined || !ours || found.record.state === 'released') {
      this.#lose(found === undefined ? 'the lease object was deleted' : describeOther(found.record))
      this.#assertHeld()
    } else {
      this.#etag = found.etag
    }
  }

  #lose(message: string): void {
    this.#lost.abort(lostLease(message))
  }

  #assertHeld(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.signal.aborted) throw this.signal.reason
  }

  #failure(code: 'timeout' | 'unavailable', message: string): StorageError {
    const { driver } = this.#store
    return new StorageError(message, { code, driver, operation: 'put', key: LEASE_KEY })
  }
}
