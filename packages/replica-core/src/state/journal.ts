import { randomInt } from 'node:crypto'
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { crc64 } from '@sqlstream/ltx'
import type { FailpointHook } from '../failpoint.ts'
import type { Ledger } from './ledger.ts'
import type { Position } from './position.ts'
import { decodePosition, encodePosition, POSITION_SIZE } from './position-bytes.ts'
import { syncLater } from './sync-later.ts'

const POSITION = 16
const FIXED = POSITION + POSITION_SIZE
const CRC = 8

/** The page checksums that a capture changed. `sums` holds two words a page: low, high. */
export interface LedgerChanges {
  readonly count: number
  readonly pgnos: Uint32Array
  readonly sums: Uint32Array
}

/** Changes nothing: for a position that moves without a new transaction. */
export const NO_CHANGES: LedgerChanges = { count: 0, pgnos: new Uint32Array(0), sums: new Uint32Array(0) }

/** Brings a ledger from one position to the next. */
export function applyChanges(ledger: Ledger, commit: number, changes: LedgerChanges): void {
  ledger.resize(commit)
  for (let i = 0; i < changes.count; i++) {
    ledger.set(changes.pgnos[i]!, changes.sums[i * 2]!, changes.sums[i * 2 + 1]!)
  }
}

/** A record of the journal, in memory of its own. */
export function encodeJournalRecord(
  sequence: number,
  position: Position,
  changes: LedgerChanges,
): Uint8Array {
  const length = FIXED + changes.count * 12 + CRC
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length)
  view.setUint32(4, changes.count)
  view.setBigUint64(8, BigInt(sequence))
  encodePosition(view, POSITION, position)
  let at = FIXED
  for (let i = 0; i < changes.count; i++) {
    view.setUint32(at, changes.pgnos[i]!)
    view.setUint32(at + 4, changes.sums[i * 2]!)
    view.setUint32(at + 8, changes.sums[i * 2 + 1]!)
    at += 12
  }
  view.setBigUint64(at, crc64(bytes.subarray(0, at)))
  return bytes
}

/** Where the numbers of a new ledger begin: anywhere, so that no record of a former one is ever the next. */
export function newSequence(): number {
  return randomInt(2 ** 47)
}

/** The number of a whole record. */
export function sequenceOf(journalRecord: Uint8Array): number {
  return Number(new DataView(journalRecord.buffer, journalRecord.byteOffset).getBigUint64(8))
}

/** Where records have led to. */
export interface Reached {
  sequence: number
  position: Position
  readonly ledger: Ledger
}

/**
 * Applies one record to what the records before it have led to.
 *
 * @returns `known` for one that is older; `torn` where it is not whole or not the next one; `contradicts` when it leads to another checksum than it says
 */
export function replayRecord(
  bytes: Uint8Array,
  reached: Reached,
): 'applied' | 'known' | 'torn' | 'contradicts' {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = bytes.length - CRC
  if (view.getBigUint64(end) !== crc64(bytes.subarray(0, end))) return 'torn'
  const recorded = Number(view.getBigUint64(8))
  if (recorded <= reached.sequence) return 'known'
  const count = view.getUint32(4)
  const position = decodePosition(view, POSITION)
  if (
    recorded !== reached.sequence + 1 ||
    position === undefined ||
    bytes.length !== FIXED + count * 12 + CRC
  )
    return 'torn'
  applyChanges(reached.ledger, position.commit, readChanges(view, count))
  if (reached.ledger.checksum !== position.postApplyChecksum) return 'contradicts'
  reached.sequence = recorded
  reached.position = position
  return 'applied'
}

/**
 * Append-only record of the captures since the ledger file was written: position and changed page
 * checksums, each record closed by a CRC-64. A torn last record is as if it had not been written;
 * its spool file is then dropped and the frames are captured again.
 */
export class Journal {
  readonly #fd: number
  #length = 0
  #torn = false
  #syncs = 0
  #closed = false

  constructor(path: string) {
    this.#fd = openSync(path, 'a+')
    // 'a+' creates without truncating but appends whatever the offset; reopen for positional writes.
    closeSync(this.#fd)
    this.#fd = openSync(path, 'r+')
  }

  /** Bytes of valid records. */
  get length(): number {
    return this.#length
  }

  /** Bytes follow the last valid record: an append that was torn, or damage. The next append removes them. */
  get torn(): boolean {
    return this.#torn
  }

  /** Makes one record durable. */
  append(record: Uint8Array, failpoint?: FailpointHook): void {
    this.write(record, failpoint)
    fdatasyncSync(this.#fd)
    failpoint?.('journal:after-append')
  }

  /** Appends records; {@link sync} makes them durable. */
  write(records: Uint8Array, failpoint?: FailpointHook): void {
    const { length } = records
    failpoint?.('journal:before-append')
    // Whole records may lie behind a damaged one; they must not become the continuation of this one.
    if (this.#torn) ftruncateSync(this.#fd, this.#length)
    this.#torn = true
    if (failpoint) {
      writeSync(this.#fd, records, 0, length >> 1, this.#length)
      failpoint('journal:torn-append')
    }
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, records, done, length - done, this.#length + done)
    }
    this.#length += length
    this.#torn = false
  }

  /** Makes durable what was written, without holding up this thread. */
  async sync(): Promise<void> {
    this.#syncs++
    try {
      await syncLater(this.#fd)
    } finally {
      this.#syncs--
      this.#end()
    }
  }

  /** The same, at once. */
  syncNow(): void {
    fdatasyncSync(this.#fd)
  }

  /**
   * Replays the records that follow `sequence` onto `ledger` and returns where they lead. Stops
   * at the first record that is torn. Undefined when a whole record contradicts the ledger.
   */
  replay(
    sequence: number,
    position: Position,
    ledger: Ledger,
  ): { sequence: number; position: Position } | undefined {
    const size = fstatSync(this.#fd).size
    const reached: Reached = { sequence, position, ledger }
    this.#length = 0
    this.#torn = false
    const head = new Uint8Array(4)
    while (this.#length + FIXED + CRC <= size) {
      readSync(this.#fd, head, 0, 4, this.#length)
      const length = new DataView(head.buffer).getUint32(0)
      if (length < FIXED + CRC || this.#length + length > size) break
      const bytes = new Uint8Array(length)
      readSync(this.#fd, bytes, 0, length, this.#length)
      const outcome = replayRecord(bytes, reached)
      if (outcome === 'contradicts') return undefined
      if (outcome === 'torn') break
      this.#length += length
    }
    this.#torn = this.#length < size
    return { sequence: reached.sequence, position: reached.position }
  }

  /** Forgets all records: the ledger file holds what they said. */
  clear(): void {
    ftruncateSync(this.#fd, 0)
    this.#length = 0
    this.#torn = false
  }

  close(): void {
    this.#closed = true
    this.#end()
  }

  /** Not while a sync uses the descriptor: its number may be another file's by then. */
  #end(): void {
    if (this.#closed && this.#syncs === 0) closeSync(this.#fd)
  }
}

function readChanges(view: DataView, count: number): LedgerChanges {
  const pgnos = new Uint32Array(count)
  const sums = new Uint32Array(count * 2)
  for (let i = 0, at = FIXED; i < count; i++, at += 12) {
    pgnos[i] = view.getUint32(at)
    sums[i * 2] = view.getUint32(at + 4)
    sums[i * 2 + 1] = view.getUint32(at + 8)
  }
  return { count, pgnos, sums }
}
