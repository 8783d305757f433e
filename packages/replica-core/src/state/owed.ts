import { readFileSync, rmSync, writeSync } from 'node:fs'
import { type Checksum, crc64, type TXID, toChecksum, toTXID } from '@sqlstream/ltx'
import type { FailpointHook } from '../failpoint.ts'
import { replaceFile } from './replace-file.ts'

const MAGIC = 0x5351_534f
const VERSION = 1
const SINCE = 20
const HEAD = 28
const STATE = 16
const CRC = 8

/** A state of the database: that after a transaction. */
export interface DatabaseState {
  readonly txid: TXID
  readonly checksum: Checksum
}

/**
 * What the replica is owed: captures that were given up before they were uploaded. From any of the bases, the pages named here, together
 * with all that differ from the ledger, lead to what the database is.
 */
export interface Owed {
  /** States that the replica may be in: the head, and what uploads of unknown outcome lead to. */
  readonly bases: readonly DatabaseState[]
  /** Positions for whose ledger this holds. */
  readonly ends: readonly DatabaseState[]
  readonly pages: PageBits
  /** When the oldest of it was captured, ms since the epoch. */
  readonly since: number
}

/** Page numbers, a bit each. */
export class PageBits {
  #bits: Uint8Array

  constructor(bits: Uint8Array = new Uint8Array(0)) {
    this.#bits = bits
  }

  get bytes(): Uint8Array {
    return this.#bits
  }

  add(pgno: number): void {
    const at = pgno >>> 3
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, this.#bits.length * 2))
      grown.set(this.#bits)
      this.#bits = grown
    }
    this.#bits[at]! |= 1 << (pgno & 7)
  }

  addAll(pgnos: Uint32Array): void {
    for (let i = 0; i < pgnos.length; i++) this.add(pgnos[i]!)
  }

  has(pgno: number): boolean {
    return ((this.#bits[pgno >>> 3] ?? 0) & (1 << (pgno & 7))) !== 0
  }

  copy(): PageBits {
    return new PageBits(this.#bits.slice())
  }
}

/** Whether the replica, at this head, can be brought on from what is owed. */
export function baseAt(owed: Owed | undefined, head: TXID): DatabaseState | undefined {
  return owed?.bases.find(({ txid }) => txid === head)
}

/** Notes it durably. @throws the system's error, on a full disk for one: then nothing has changed */
export function writeOwed(path: string, owed: Owed, failpoint?: FailpointHook): void {
  const bytes = encode(owed)
  try {
    replaceFile(
      path,
      (fd) => {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
      },
      () => failpoint?.('owed:before-rename'),
    )
  } catch (error) {
    rmSync(`${path}.tmp`, { force: true })
    throw error
  }
  failpoint?.('owed:after-rename')
}

/** Undefined when nothing is owed, or when it cannot be read: then a snapshot has to take its place. */
export function readOwed(path: string): Owed | undefined {
  try {
    return decode(new Uint8Array(readFileSync(path)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** It was made good. Need not be durable: it holds for no later position. */
export function removeOwed(path: string): void {
  rmSync(path, { force: true })
}

function encode({ bases, ends, pages, since }: Owed): Uint8Array {
  const length = HEAD + (bases.length + ends.length) * STATE + pages.bytes.length + CRC
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  const head = [MAGIC, VERSION, bases.length, ends.length, pages.bytes.length]
  for (const [i, word] of head.entries()) view.setUint32(i * 4, word)
  view.setFloat64(SINCE, since)
  let at = HEAD
  for (const { txid, checksum } of [...bases, ...ends]) {
    view.setBigUint64(at, txid)
    view.setBigUint64(at + 8, checksum)
    at += STATE
  }
  bytes.set(pages.bytes, at)
  view.setBigUint64(length - CRC, crc64(bytes.subarray(0, length - CRC)))
  return bytes
}

function decode(bytes: Uint8Array): Owed | undefined {
  if (bytes.length < HEAD + CRC) return undefined
  const view = new DataView(bytes.buffer)
  const end = bytes.length - CRC
  if (view.getBigUint64(end) !== crc64(bytes.subarray(0, end))) return undefined
  const [magic, version, bases = 0, ends = 0, size = 0] = [0, 4, 8, 12, 16].map((at) => view.getUint32(at))
  if (magic !== MAGIC || version !== VERSION || HEAD + (bases + ends) * STATE + size !== end) return undefined
  const states = Array.from({ length: bases + ends }, (_, i) => ({
    txid: toTXID(view.getBigUint64(HEAD + i * STATE)),
    checksum: toChecksum(view.getBigUint64(HEAD + i * STATE + 8)),
  }))
  return {
    bases: states.slice(0, bases),
    ends: states.slice(bases),
    pages: new PageBits(bytes.slice(end - size, end)),
    since: view.getFloat64(SINCE),
  }
}
