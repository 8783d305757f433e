import { createHeader, type Header, toTXID } from '@sqlstream/ltx'
import { Ledger } from '../state/ledger.ts'
import type { Position } from '../state/position.ts'

/** Of the level-0 file that leads from one position to the next by a stretch of the WAL, which begins behind frame `from`. */
export function stretchHeader(position: Position, before: Position, from: number, nodeId: bigint): Header {
  const { pageSize, commit, txid, timestamp, wal, postApplyChecksum } = position
  const frameSize = pageSize + 24
  return createHeader({
    pageSize,
    commit,
    minTXID: txid,
    maxTXID: txid,
    timestamp,
    walOffset: 32 + from * frameSize,
    walSize: (wal.frame - from) * frameSize,
    walSalt1: wal.salt1,
    walSalt2: wal.salt2,
    nodeId,
    proof: { preApplyChecksum: before.postApplyChecksum, postApplyChecksum },
  })
}

/** Of a snapshot of the database at a position. */
export function snapshotHeader(position: Position, nodeId: bigint): Header {
  const { pageSize, commit, txid, timestamp, postApplyChecksum } = position
  return createHeader({
    pageSize,
    commit,
    minTXID: toTXID(1),
    maxTXID: txid,
    timestamp,
    nodeId,
    // It starts from an empty database.
    proof: { preApplyChecksum: new Ledger().checksum, postApplyChecksum },
  })
}
