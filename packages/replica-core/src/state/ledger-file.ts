import { readFileSync } from 'node:fs'
import { crc64 } from '@sqlstream/ltx'
import type { FailpointHook } from '../failpoint.ts'
import { Ledger } from './ledger.ts'
import type { Position } from './position.ts'
import { decodePosition, encodePosition, POSITION_SIZE } from './position-bytes.ts'
import { replaceFile } from './replace-file.ts'
import { writeAll } from './write-all.ts'

const MAGIC = 'SQSLEDG1'
const POSITION = 16
const CRC = POSITION + POSITION_SIZE + 4
const HEADER = CRC + 8

/** What a ledger file holds: the checksums of all pages as of a position, and its sequence number. */
export interface LedgerFile {
  readonly sequence: number
  readonly position: Position
  readonly ledger: Ledger
}

/**
 * Replaces the ledger file in one atomic step (temp, fsync, rename, fsync of the folder), so that
 * ledger and position never disagree.
 */
export function writeLedgerFile(path: string, content: LedgerFile, failpoint?: FailpointHook): void {
  const { position, ledger, sequence } = content
  const header = new Uint8Array(HEADER)
  const view = new DataView(header.buffer)
  for (let i = 0; i < MAGIC.length; i++) header[i] = MAGIC.charCodeAt(i)
  view.setBigUint64(8, BigInt(sequence))
  encodePosition(view, POSITION, position)
  const words = ledger.words()
  const table = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  view.setBigUint64(CRC, crc64(table, crc64(header.subarray(0, CRC))))

  failpoint?.('ledger:before-write')
  replaceFile(
    path,
    (fd) => writeAll(fd, [header, table]),
    () => failpoint?.('ledger:before-rename'),
  )
  failpoint?.('ledger:after-rename')
}

/** Reads a ledger file. Undefined when there is none or when it is damaged: both mean "start from a snapshot". */
export function readLedgerFile(path: string): LedgerFile | undefined {
  let bytes: Uint8Array
  try {
    // A copy: `slice` of a Buffer is a view into memory that it shares with others.
    bytes = new Uint8Array(readFileSync(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (bytes.length < HEADER || String.fromCharCode(...bytes.subarray(0, 8)) !== MAGIC) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const position = decodePosition(view, POSITION)
  if (position === undefined || bytes.length !== HEADER + position.commit * 8) return undefined
  const table = bytes.slice(HEADER)
  if (view.getBigUint64(CRC) !== crc64(table, crc64(bytes.subarray(0, CRC)))) return undefined
  const ledger = Ledger.from(new Uint32Array(table.buffer), position.commit)
  if (ledger.checksum !== position.postApplyChecksum) return undefined
  return { sequence: Number(view.getBigUint64(8)), position, ledger }
}
