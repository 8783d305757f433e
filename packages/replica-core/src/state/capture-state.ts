import { rmSync } from 'node:fs'
import type { TXID } from '@sqlstream/ltx'
import { wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import type { CaptureLog } from './capture-log.ts'
import {
  applyChanges,
  encodeJournalRecord,
  Journal,
  type LedgerChanges,
  NO_CHANGES,
  newSequence,
} from './journal.ts'
import { Ledger } from './ledger.ts'
import { readLedgerFile, writeLedgerFile } from './ledger-file.ts'
import type { LogSeat } from './log-seat.ts'
import type { Position, WALPosition } from './position.ts'
import { type Repair, repairFromSeat } from './repair.ts'
import { Spool, type SpoolFile } from './spool.ts'
import type { StateFolder } from './state-folder.ts'

/** The ledger file is rewritten when the journal is larger than this and than half of the ledger. */
const JOURNAL_LIMIT = 1 << 20

/** What a state may use besides its folder. */
export interface CaptureStateOptions {
  /** Shared with other databases: captures go there first. Default: each into the files of this database, at once. */
  readonly log?: CaptureLog | undefined
  readonly failpoint?: FailpointHook | undefined
}

/**
 * What has been captured, on disk and in memory: the ledger of page checksums, the position it stands for, and the spool. Without a
 * log every change is durable before it is visible here; with one, when {@link CaptureState.synced} says so.
 */
export class CaptureState {
  readonly spool: Spool
  readonly #folder: StateFolder
  readonly #journal: Journal
  readonly #failpoint: FailpointHook | undefined
  readonly #seat: LogSeat | undefined
  /** Time of the replica's newest state at the start, ms: nothing that follows it is given an earlier one, even if the state here is lost. */
  timeFloor = 0
  #sequence = newSequence()
  #position: Position | undefined
  #ledger = new Ledger()
  #rewriteFrom = 0
  readonly #repair: Repair
  /** Records that are in the log and not in the journal. */
  #unwritten: Uint8Array[] = []
  /** The journal could not be synced: only a new ledger makes durable what it says. */
  #doubtful = false

  private constructor(folder: StateFolder, { log, failpoint }: CaptureStateOptions) {
    this.#folder = folder
    log?.settle(folder)
    this.#repair = repairFromSeat(folder, failpoint)
    this.#failpoint = failpoint
    this.#journal = new Journal(folder.journal)
    try {
      this.spool = new Spool(folder.spool, failpoint, { logged: log !== undefined })
      this.#seat = log?.join(folder, this)
      this.#load()
    } catch (error) {
      this.#journal.close()
      throw error
    }
  }

  /**
   * Loads the state of a folder; without a position when there is none that can be proven whole. The caller holds the local lock.
   * @throws the system's error
   */
  static open(folder: StateFolder, options: CaptureStateOptions = {}): CaptureState {
    return new CaptureState(folder, options)
  }

  #load(): void {
    const file = readLedgerFile(this.#folder.ledger)
    if (file === undefined) return
    const replayed = this.#journal.replay(file.sequence, file.position, file.ledger)
    if (replayed === undefined) return
    this.#sequence = replayed.sequence
    this.#position = replayed.position
    this.#ledger = file.ledger
  }

  /** Undefined before the first snapshot, or after damage. */
  get position(): Position | undefined {
    return this.#position
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /**
   * The journal or the log ends in something that is no record. A torn append was never uploaded, so when the
   * replica is ahead of the position it was not that but damage: the position is not the last one.
   */
  get torn(): boolean {
    return this.#journal.torn || this.#repair === 'lost'
  }

  /** The log says that these files had more already: they were put back from an old copy, unless that was done with the log. */
  get outdated(): boolean {
    return this.#repair === 'outdated'
  }

  /**
   * Advances by one capture: journal or log first, then memory.
   * @param file what was captured, where a transaction was
   * @throws PrimaryError `disk-full`, or the system's error: nothing has changed
   */
  advance(position: Position, changes: LedgerChanges, file?: SpoolFile): void {
    const record = encodeJournalRecord(this.#sequence + 1, position, changes)
    if (this.#seat === undefined) {
      try {
        this.#journal.append(record, this.#failpoint)
      } catch (error) {
        throw wrapFileError(error, this.#folder.journal)
      }
    } else {
      this.#seat.append(record, file?.content)
      this.#unwritten.push(record)
    }
    this.#sequence++
    applyChanges(this.#ledger, position.commit, changes)
    this.#position = position
    if (this.#seat === undefined) this.#rewriteIfLong()
  }

  /** Resolves when every capture up to now is durable. @throws the system's error; may be called again */
  async synced(): Promise<void> {
    await this.#seat?.synced()
  }

  /** Prepares the first capture: what it would have to wait for is done without holding up this thread. What fails is tried again by it. */
  async prepare(): Promise<void> {
    await this.#seat?.sit().catch(() => undefined)
  }

  /** Resolves when there is room for another capture. @throws why there is none */
  async room(): Promise<void> {
    await this.#seat?.room()
  }

  /** The replica has everything up to here: after a crash it need not be uploaded. */
  acknowledge(txid: TXID): void {
    this.#seat?.acknowledge(txid)
  }

  /** Makes durable in the files of this database what only the log has. @throws PrimaryError `disk-full`, or the system's error */
  async flush(): Promise<void> {
    if (this.#write()) await this.#journal.sync().catch(() => this.#rewriteAfterFailure())
  }

  /** Flushes, and says whether that was possible. */
  tryFlush(): Promise<boolean> {
    return this.flush().then(
      () => true,
      () => false,
    )
  }

  /** What was in the spool was given up: brings it out of the log, which keeps it no longer, as far as the disk allows. */
  async forgetLogged(): Promise<void> {
    if (await this.tryFlush()) this.#seat?.flushed()
  }

  #flushNow(): void {
    if (!this.#write()) return
    try {
      this.#journal.syncNow()
    } catch {
      this.#rewriteAfterFailure()
    }
  }

  /** Files first: the journal is never ahead of what the spool or the replica holds (SPEC.md, L1). Returns whether the journal has to be synced. */
  #write(): boolean {
    this.spool.spill()
    if (this.#doubtful) this.#rewriteAfterFailure()
    const records = this.#unwritten
    if (records.length === 0) return false
    try {
      this.#journal.write(Buffer.concat(records), this.#failpoint)
    } catch (error) {
      throw wrapFileError(error, this.#folder.journal)
    }
    this.#unwritten = []
    return !this.#rewriteIfLong()
  }

  /** Whether the journal said it was durable or not: the ledger is. */
  #rewriteAfterFailure(): void {
    this.#doubtful = true
    if (this.#position === undefined) return
    try {
      this.#writeLedger(this.#position)
    } catch (error) {
      throw wrapFileError(error, this.#folder.ledger)
    }
    this.#doubtful = false
  }

  /** Moves the place in the WAL without a new transaction. */
  moveTo(wal: WALPosition): void {
    if (this.#position === undefined) throw new TypeError('there is no position to move')
    this.advance({ ...this.#position, wal }, NO_CHANGES)
  }

  /** Whether the ledger was written. */
  #rewriteIfLong(): boolean {
    const limit = Math.max(JOURNAL_LIMIT, this.#ledger.pageCount * 4, this.#rewriteFrom)
    if (this.#position === undefined || this.#journal.length <= limit) return false
    try {
      this.#writeLedger(this.#position)
      return true
    } catch {
      // The capture is in the journal, and an error would undo it. Tried again when that has grown.
      this.#rewriteFrom = this.#journal.length + JOURNAL_LIMIT
      return false
    }
  }

  /**
   * Writes what the journal has led to as the ledger file. It carries the sequence number of the last
   * record, so the old file with the journal and the new one without it lead to the same.
   */
  #writeLedger(position: Position): void {
    const content = { sequence: this.#sequence, position, ledger: this.#ledger }
    writeLedgerFile(this.#folder.ledger, content, this.#failpoint)
    this.#journal.clear()
    this.#unwritten = []
    this.#rewriteFrom = 0
    this.#failpoint?.('ledger:after-truncate')
  }

  /** Starts over from a whole ledger. */
  replace(position: Position, ledger: Ledger): void {
    // Records of a time before damage could follow the new ledger by their numbers.
    if (this.#position === undefined) this.reset()
    try {
      writeLedgerFile(
        this.#folder.ledger,
        { sequence: this.#sequence + 1, position, ledger },
        this.#failpoint,
      )
    } catch (error) {
      throw wrapFileError(error, this.#folder.ledger)
    }
    this.#sequence++
    this.#position = position
    this.#ledger = ledger
    this.#journal.clear()
    this.#unwritten = []
    this.#failpoint?.('ledger:after-truncate')
  }

  /** Drops everything that is known; the next start takes a snapshot. */
  reset(): void {
    rmSync(this.#folder.ledger, { force: true })
    this.#journal.clear()
    this.#unwritten = []
    this.#position = undefined
    this.#ledger = new Ledger()
  }

  /** Flushes and closes. What cannot be flushed stays in the log, which tries again before it is opened the next time. */
  close(): void {
    try {
      if (this.#seat !== undefined) this.#flushNow()
    } catch (error) {
      this.#seat?.leave(error)
      return
    }
    this.#seat?.leave()
    this.#journal.close()
  }
}
