import { isPageSize, toChecksum, toTXID } from '@sqlstream/ltx'
import type { Position } from './position.ts'

/** Bytes of a position in the ledger file and in the journal. */
export const POSITION_SIZE = 52

/** Writes a position at a byte offset. */
export function encodePosition(view: DataView, at: number, position: Position): void {
  view.setBigUint64(at, position.txid)
  view.setBigUint64(at + 8, position.postApplyChecksum)
  view.setFloat64(at + 16, position.timestamp)
  view.setUint32(at + 24, position.pageSize)
  view.setUint32(at + 28, position.commit)
  view.setUint32(at + 32, position.wal.salt1)
  view.setUint32(at + 36, position.wal.salt2)
  view.setUint32(at + 40, position.wal.frame)
  view.setUint32(at + 44, position.wal.checksum1)
  view.setUint32(at + 48, position.wal.checksum2)
}

/** Reads a position; undefined when its page size is none. */
export function decodePosition(view: DataView, at: number): Position | undefined {
  const pageSize = view.getUint32(at + 24)
  if (!isPageSize(pageSize)) return undefined
  return {
    txid: toTXID(view.getBigUint64(at)),
    postApplyChecksum: toChecksum(view.getBigUint64(at + 8)),
    timestamp: view.getFloat64(at + 16),
    pageSize,
    commit: view.getUint32(at + 28),
    wal: {
      salt1: view.getUint32(at + 32),
      salt2: view.getUint32(at + 36),
      frame: view.getUint32(at + 40),
      checksum1: view.getUint32(at + 44),
      checksum2: view.getUint32(at + 48),
    },
  }
}
