import type { TXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, headOf, isLongEnough, type LTXFile } from './catalog.ts'
import { chainAfter, reachableTXIDs } from './chain.ts'
import { formatRange } from './gaps.ts'

/** How a copy of the state after some TXID goes on. */
export interface ContinuationPlan {
  /** Files of any level that lead on from there, oldest first, without a hole. */
  readonly files: readonly LTXFile[]
  /** The state that they lead to: that of the copy, when there are none. */
  readonly txid: TXID
  /** The newest state of the replica; undefined when it has no file. It may lie before the copy's. */
  readonly head: TXID | undefined
  /** The latest state behind `txid` that a snapshot leads to; there when only a snapshot leads further. */
  readonly bySnapshot?: TXID | undefined
  /** Which transactions are missing behind `txid`, for people; there when nothing leads to the head. */
  readonly missing?: string | undefined
}

/**
 * Plans the way of a copy to the head: by files that continue it as far as possible, else by a snapshot. Pure.
 *
 * @param avoid keys of files that must not be used
 */
export function planContinuation(
  catalog: Catalog,
  from: TXID,
  { avoid = new Set() }: { readonly avoid?: ReadonlySet<string> | undefined } = {},
): ContinuationPlan {
  const head = headOf(catalog)
  const usable = filesOf(catalog).filter((file) => isLongEnough(file) && !avoid.has(file.key))
  const files = chainAfter(usable, from)
  const txid = files.at(-1)?.maxTXID ?? from
  if (head === undefined || head <= txid) return { files, txid, head }
  const farthest = reachableTXIDs(usable).at(-1)
  const bySnapshot = farthest !== undefined && farthest > txid ? farthest : undefined
  const reached = bySnapshot ?? txid
  const missing = head > reached ? missingBehind(usable, reached, head) : undefined
  return { files, txid, head, bySnapshot, missing }
}

function missingBehind(files: readonly LTXFile[], after: TXID, head: TXID): string {
  let next = head
  for (const { minTXID, maxTXID } of files) {
    if (minTXID > after + 1n && maxTXID > after && minTXID <= next) next = (minTXID - 1n) as TXID
  }
  return formatRange({ minTXID: (after + 1n) as TXID, maxTXID: next })
}
