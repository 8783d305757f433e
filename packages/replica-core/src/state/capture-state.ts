import { rmSync } from 'node:fs'
import { wrapFileError } from '../errors.ts'
import type { FailpointHook } from '../failpoint.ts'
import { applyChanges, Journal, type LedgerChanges, NO_CHANGES } from './journal.ts'
import { Ledger } from './ledger.ts'
import { readLedgerFile, writeLedgerFile } from './ledger-file.ts'
import type { Position, WALPosition } from './position.ts'
import type { StateFolder } from './state-folder.ts'

/** The ledger file is rewritten when the journal is larger than this and than half of the ledger. */
const JOURNAL_LIMIT = 1 << 20

/**
 * What has been captured, on disk and in memory: the ledger of page checksums and the position it
 * stands for. Every change is durable before it is visible here.
 */
export class CaptureState {
  readonly #folder: StateFolder
  readonly #journal: Journal
  readonly #failpoint: FailpointHook | undefined
  /** Time of the replica's newest state at the start, ms: nothing that follows it is given an earlier one, even if the state here is lost. */
  timeFloor = 0
  #sequence = 0
  #position: Position | undefined
  #ledger = new Ledger()
  #rewriteFrom = 0

  private constructor(folder: StateFolder, failpoint: FailpointHook | undefined) {
    this.#folder = folder
    this.#journal = new Journal(folder.journal)
    this.#failpoint = failpoint
  }

  /** Loads the state of a folder; without a position when there is none that can be proven whole. */
  static open(folder: StateFolder, failpoint?: FailpointHook): CaptureState {
    const state = new CaptureState(folder, failpoint)
    const file = readLedgerFile(folder.ledger)
    if (file === undefined) return state
    const replayed = state.#journal.replay(file.sequence, file.position, file.ledger)
    if (replayed === undefined) return state
    state.#sequence = replayed.sequence
    state.#position = replayed.position
    state.#ledger = file.ledger
    return state
  }

  /** Undefined before the first snapshot, or after damage. */
  get position(): Position | undefined {
    return this.#position
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /**
   * The journal ends in something that is no record. A torn append was never uploaded, so when the
   * replica is ahead of the position it was not that but damage: the position is not the last one.
   */
  get torn(): boolean {
    return this.#journal.torn
  }

  /** Advances by one capture: journal first, then memory. */
  advance(position: Position, changes: LedgerChanges): void {
    try {
      this.#journal.append(this.#sequence + 1, position, changes, this.#failpoint)
    } catch (error) {
      throw wrapFileError(error, this.#folder.journal)
    }
    this.#sequence++
    applyChanges(this.#ledger, position.commit, changes)
    this.#position = position
    const limit = Math.max(JOURNAL_LIMIT, this.#ledger.pageCount * 4, this.#rewriteFrom)
    if (this.#journal.length > limit) this.#rewrite(position)
  }

  /** Moves the place in the WAL without a new transaction. */
  moveTo(wal: WALPosition): void {
    if (this.#position === undefined) throw new TypeError('there is no position to move')
    this.advance({ ...this.#position, wal }, NO_CHANGES)
  }

  /**
   * Writes what the journal has led to as the ledger file. It carries the sequence number of the last
   * record, so the old file with the journal and the new one without it lead to the same.
   */
  #rewrite(position: Position): void {
    try {
      const content = { sequence: this.#sequence, position, ledger: this.#ledger }
      writeLedgerFile(this.#folder.ledger, content, this.#failpoint)
      this.#journal.clear()
      this.#rewriteFrom = 0
      this.#failpoint?.('ledger:after-truncate')
    } catch {
      // The capture is in the journal, and an error would undo it. Tried again when that has grown.
      this.#rewriteFrom = this.#journal.length + JOURNAL_LIMIT
    }
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
    this.#failpoint?.('ledger:after-truncate')
  }

  /** Drops everything that is known; the next start takes a snapshot. */
  reset(): void {
    rmSync(this.#folder.ledger, { force: true })
    this.#journal.clear()
    this.#position = undefined
    this.#ledger = new Ledger()
  }

  close(): void {
    this.#journal.close()
  }
}
