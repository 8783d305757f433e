import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { crc64 } from '@sqlstream/ltx'
import type { FailpointHook } from '../failpoint.ts'
import type { Ledger } from './ledger.ts'
import type { Position } from './position.ts'
import { decodePosition, encodePosition, POSITION_SIZE } from './position-bytes.ts'

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

/**
 * Append-only record of the captures since the ledger file was written: position and changed page
 * checksums, each record closed by a CRC-64. A torn last record is as if it had not been written;
 * its spool file is then dropped and the frames are captured again.
 */
export class Journal {
  readonly #fd: number
  #length = 0
  #torn = false
  #buffer = new Uint8Array(4096)

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
  append(sequence: number, position: Position, changes: LedgerChanges, failpoint?: FailpointHook): void {
    const length = FIXED + changes.count * 12 + CRC
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length * 2)
    const bytes = this.#buffer.subarray(0, length)
    const view = new DataView(bytes.buffer, 0, length)
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
    failpoint?.('journal:before-append')
    // Whole records may lie behind a damaged one; they must not become the continuation of this one.
    if (this.#torn) ftruncateSync(this.#fd, this.#length)
    this.#torn = true
    if (failpoint) {
      writeSync(this.#fd, bytes, 0, length >> 1, this.#length)
      failpoint('journal:torn-append')
    }
    for (let done = 0; done < length; ) {
      done += writeSync(this.#fd, bytes, done, length - done, this.#length + done)
    }
    fdatasyncSync(this.#fd)
    this.#length += length
    this.#torn = false
    failpoint?.('journal:after-append')
  }

  /**
   * Replays the records that follow `sequence` onto `ledger` and returns where they lead. Stops
   * at the first record that is torn. Undefined when a whole record contradicts the ledger.
   */
  replay(
    sequence: number,
    start: Position,
    ledger: Ledger,
  ): { sequence: number; position: Position } | undefined {
    const size = fstatSync(this.#fd).size
    let position = start
    let next = sequence
    this.#length = 0
    this.#torn = false
    const head = new Uint8Array(4)
    while (this.#length + FIXED + CRC <= size) {
      readSync(this.#fd, head, 0, 4, this.#length)
      const length = new DataView(head.buffer).getUint32(0)
      if (length < FIXED + CRC || this.#length + length > size) break
      const bytes = new Uint8Array(length)
      readSync(this.#fd, bytes, 0, length, this.#length)
      const view = new DataView(bytes.buffer)
      if (view.getBigUint64(length - CRC) !== crc64(bytes.subarray(0, length - CRC))) break
      const recorded = Number(view.getBigUint64(8))
      if (recorded > next) {
        if (recorded !== next + 1) break
        const count = view.getUint32(4)
        const recordedPosition = decodePosition(view, POSITION)
        if (recordedPosition === undefined || length !== FIXED + count * 12 + CRC) break
        const changes = readChanges(view, count)
        position = recordedPosition
        applyChanges(ledger, position.commit, changes)
        if (ledger.checksum !== position.postApplyChecksum) return undefined
        next = recorded
      }
      this.#length += length
    }
    this.#torn = this.#length < size
    return { sequence: next, position }
  }

  /** Forgets all records: the ledger file holds what they said. */
  clear(): void {
    ftruncateSync(this.#fd, 0)
    this.#length = 0
    this.#torn = false
  }

  close(): void {
    closeSync(this.#fd)
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
