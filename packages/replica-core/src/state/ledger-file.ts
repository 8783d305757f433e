import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc64, isPageSize, toChecksum, toTXID } from '@sqlstream/ltx'
import type { FailpointHook } from '../failpoint.ts'
import { Ledger } from './ledger.ts'
import type { Position } from './position.ts'
import { syncFolder } from './state-folder.ts'

const MAGIC = 'SQSLEDG1'
const HEADER = 80

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
  view.setUint32(8, position.pageSize)
  view.setUint32(12, position.commit)
  view.setBigUint64(16, BigInt(sequence))
  view.setBigUint64(24, position.txid)
  view.setBigUint64(32, position.postApplyChecksum)
  view.setFloat64(40, position.timestamp)
  view.setUint32(48, position.wal.salt1)
  view.setUint32(52, position.wal.salt2)
  view.setUint32(56, position.wal.frame)
  view.setUint32(60, position.wal.checksum1)
  view.setUint32(64, position.wal.checksum2)
  const words = ledger.words()
  const table = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  view.setBigUint64(72, crc64(table, crc64(header.subarray(0, 72))))

  failpoint?.('ledger:before-write')
  const temp = `${path}.tmp`
  const fd = openSync(temp, 'w')
  try {
    writeSync(fd, header)
    for (let at = 0; at < table.length; ) at += writeSync(fd, table, at, table.length - at)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  failpoint?.('ledger:before-rename')
  renameSync(temp, path)
  syncFolder(dirname(path))
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
  const pageSize = view.getUint32(8)
  const commit = view.getUint32(12)
  if (!isPageSize(pageSize) || bytes.length !== HEADER + commit * 8) return undefined
  const table = bytes.slice(HEADER)
  if (view.getBigUint64(72) !== crc64(table, crc64(bytes.subarray(0, 72)))) return undefined
  const ledger = Ledger.from(new Uint32Array(table.buffer), commit)
  const position: Position = {
    txid: toTXID(view.getBigUint64(24)),
    postApplyChecksum: toChecksum(view.getBigUint64(32)),
    pageSize,
    commit,
    timestamp: view.getFloat64(40),
    wal: {
      salt1: view.getUint32(48),
      salt2: view.getUint32(52),
      frame: view.getUint32(56),
      checksum1: view.getUint32(60),
      checksum2: view.getUint32(64),
    },
  }
  if (ledger.checksum !== position.postApplyChecksum) return undefined
  return { sequence: Number(view.getBigUint64(16)), position, ledger }
}
