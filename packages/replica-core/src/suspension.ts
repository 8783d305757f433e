import type { TXID } from '@sqlstream/ltx'
import type { Attachment } from './attachment.ts'
import { PrimaryError } from './errors.ts'
import type { FailpointHook } from './failpoint.ts'
import { basesOf, giveUpSpool } from './give-up.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { DiskSpace, GiveUpReason } from './plan-disk.ts'
import type { Continuation } from './rest.ts'
import type { Serial } from './serial.ts'
import type { CaptureState } from './state/capture-state.ts'
import { type Owed, removeOwed } from './state/owed.ts'
import type { Uploader } from './upload.ts'
import { relieveWAL } from './wal-relief.ts'

/** What giving up, and going on after it, work with. */
export interface SuspensionContext {
  readonly lifecycle: Lifecycle
  readonly captureState: CaptureState
  /** Where what is owed is noted. */
  readonly path: string
  readonly serial: Serial
  readonly uploader: () => Uploader
  readonly attachment: () => Attachment | undefined
  /** Opens the files again where they are not those that were opened. Inside `serial`. */
  readonly reopen: () => Promise<void>
  /** Asks the replica how to go on. @throws the store's errors, PrimaryError */
  readonly decide: (signal: AbortSignal) => Promise<Continuation>
  /** Goes on as was decided. Inside `serial`. */
  readonly goOn: (found: Continuation) => Promise<void>
  readonly failpoint?: FailpointHook | undefined
}

/**
 * What is done for want of disk space: captures that wait are given up, the WAL is left to the application, and nothing is captured until
 * the replica answers; then all pages are compared (SPEC.md, "Disk").
 */
export class Suspension {
  readonly #c: SuspensionContext
  readonly #ended = new AbortController()
  #error: PrimaryError | undefined
  #owed: Owed | undefined
  #resuming: Promise<void> | undefined

  constructor(context: SuspensionContext) {
    this.#c = context
  }

  /** Why nothing is captured; undefined while captures go on. */
  get error(): PrimaryError | undefined {
    return this.#error
  }

  /** Whether an attempt to go on is under way. */
  get isResuming(): boolean {
    return this.#resuming !== undefined
  }

  /** What the replica lacks of what was captured, and nobody has. */
  get owed(): Owed | undefined {
    return this.#owed
  }

  /** Learns what is owed from now on. */
  owe(owed: Owed): void {
    this.#owed = owed
  }

  /** Gives up what waits. Does nothing before the start is over, and when it was done already. */
  begin(reason: GiveUpReason, { freeBytes }: DiskSpace): Promise<void> {
    return this.#c.serial.run(async () => {
      const { lifecycle, captureState, path, failpoint } = this.#c
      const attachment = this.#c.attachment()
      const isOver = lifecycle.state === 'closed' || lifecycle.state === 'fenced'
      if (isOver || this.#error !== undefined || attachment === undefined) return
      this.#error = new PrimaryError('given-up', `captures were given up: ${REASONS[reason]}`, {
        hint: 'Nothing is captured until the replica can be reached; then all pages are compared, by itself. Make room, or give a larger bound for the spool.',
      })
      const uploader = this.#c.uploader()
      const dropped = await uploader.abandon()
      const { position } = captureState
      const captured = position && { txid: position.txid, checksum: position.postApplyChecksum }
      const before = this.#stillOwed(dropped[0]?.kind)
      const bases = basesOf(uploader, dropped, captured, before)
      const given = await giveUpSpool({ captureState, path, failpoint }, bases, before).catch(
        (error: Error) => {
          // What is left of the spool is looked at again when the replica answers.
          lifecycle.emit({ type: 'failed', operation: 'capture', error })
          return { owed: undefined, files: 0, bytes: 0 }
        },
      )
      this.#owed = given.owed
      attachment.cycle.stop()
      attachment.holder.release()
      lifecycle.transition('give-up')
      const { files, bytes } = given
      lifecycle.emit({ type: 'given-up', reason, files, bytes, freeBytes })
      await relieveWAL(attachment).catch(() => undefined)
    })
  }

  /** Tries to go on; who asks meanwhile shares the attempt. @throws what is in the way: nothing has changed then */
  resume(): Promise<void> {
    this.#resuming ??= this.#resume().finally(() => {
      this.#resuming = undefined
    })
    return this.#resuming
  }

  /** Keeps the WAL short meanwhile. */
  relieve(): Promise<void> {
    return this.#c.serial.run(async () => {
      const attachment = this.#c.attachment()
      if (this.#error !== undefined && attachment !== undefined) await relieveWAL(attachment)
    })
  }

  /** The replica has everything up to this state: nothing before it is owed any more. */
  uploaded(txid: TXID): void {
    const end = this.#owed?.ends.at(-1)
    if (end === undefined || txid < end.txid) return
    this.#owed = undefined
    removeOwed(this.#c.path)
  }

  /** Ends an attempt to go on; there is no other one. */
  async end(): Promise<void> {
    this.#ended.abort(new PrimaryError('closed', 'the replicator is closed'))
    await this.#resuming?.catch(() => undefined)
  }

  async #resume(): Promise<void> {
    const { serial, lifecycle } = this.#c
    const { signal } = this.#ended
    if (this.#error === undefined) return
    signal.throwIfAborted()
    await serial.run(this.#c.reopen)
    const found = await this.#c.decide(signal)
    await this.#c
      .attachment()
      ?.cycle.settled()
      .catch(() => undefined)
    await serial.run(async () => {
      if (lifecycle.state !== 'suspended') return
      try {
        await this.#c.goOn(found)
        this.#error = undefined
        this.#c.attachment()?.cycle.start()
      } catch (error) {
        this.#c.attachment()?.holder.release()
        lifecycle.transition('give-up')
        throw error
      }
    })
  }

  /** A whole image on its way stands for what was owed before it. */
  #stillOwed(first: 'files' | 'snapshot' | undefined): Owed | undefined {
    return first === 'files' ? undefined : this.#owed
  }
}

const REASONS: Readonly<Record<GiveUpReason, string>> = {
  bound: 'they take more disk space than they may',
  reserve: 'the disk is nearly full',
}
