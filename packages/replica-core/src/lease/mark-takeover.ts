import { createHeader, Encoder, type PageSize, type Pos, toTXID } from '@sqlstream/ltx'
import type { LTXFile, ReplicaWriter } from '@sqlstream/replica'

/** The newest state of a replica, as far as a file of one page needs it. */
export interface HeadState {
  readonly pos: Pos
  readonly pageSize: PageSize
  /** Pages. */
  readonly commit: number
  /** Time of that state. */
  readonly timestamp: Date
  readonly pageOne: Uint8Array
}

/**
 * Puts a file that changes nothing behind the newest state: what the former writer may have sent under that TXID collides with it, and a reader learns
 * nothing new.
 *
 * @throws ReplicaError `fenced` when there is one already, or the lease is lost; the store's errors
 */
export async function markTakeover(
  writer: ReplicaWriter,
  head: HeadState,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LTXFile> {
  const { pos, pageSize, commit, pageOne } = head
  const txid = toTXID(pos.txid + 1n)
  const range = { minTXID: txid, maxTXID: txid }
  // Times of states never go back.
  const timestamp = new Date(Math.max(Date.now(), head.timestamp.getTime()))
  const { postApplyChecksum } = pos
  const encoder = new Encoder(
    createHeader({
      ...range,
      pageSize,
      commit,
      timestamp: timestamp.getTime(),
      nodeId: writer.lease.epoch,
      proof: { preApplyChecksum: postApplyChecksum, postApplyChecksum },
    }),
  )
  const start = encoder.start().slice()
  const frame = encoder.page({ pgno: 1, data: pageOne }).slice()
  const body = Buffer.concat([start, frame, encoder.finish()])
  return await writer.put(0, range, body, { timestamp, signal: options.signal })
}
