import type { TXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, fileTime, isLongEnough, type LTXFile, SNAPSHOT_LEVEL } from '../catalog.ts'
import { reachableTXIDs } from '../chain.ts'
import type { RetentionPolicy, RetentionTier } from './policy.ts'

/** A state that can be restored, and its time as far as it is known. */
export interface RestorePoint {
  readonly txid: TXID
  readonly time: Date
}

/** What is asked of the states beside the tiers. */
export interface Claims {
  readonly now: Date
  /** TXIDs that somebody holds. */
  readonly pinned: ReadonlySet<TXID>
}

/** Whether a file tells the time of its state: a snapshot may carry the time at which it was made, and a store's clock may be wrong. */
export function tellsTime(file: LTXFile): boolean {
  return file.timestamp !== undefined && file.level !== SNAPSHOT_LEVEL
}

/**
 * The states that these files lead to, by TXID. Where no file tells the time, the earliest of what is known counts: a merge
 * may have been received long after the capture.
 */
export function restorePoints(files: readonly LTXFile[]): RestorePoint[] {
  const times = new Map<TXID, { readonly time: number; readonly isTold: boolean }>()
  for (const file of files) {
    const time = fileTime(file)
    const isTold = tellsTime(file)
    const known = times.get(file.maxTXID)
    const isBetter = !known || (isTold === known.isTold ? time < known.time : isTold)
    if (isBetter) times.set(file.maxTXID, { time, isTold })
  }
  return reachableTXIDs(files).map((txid) => ({ txid, time: new Date(times.get(txid)?.time as number) }))
}

/** The states that can be restored, by TXID, with the times that the catalog tells. */
export function restorablePoints(catalog: Catalog): RestorePoint[] {
  return restorePoints(filesOf(catalog).filter(isLongEnough))
}

/**
 * The points that a policy promises now. Ages are those of each point's own time: one that lies in the future, because a clock was wrong,
 * is young, and harms no other point. "The last of its slot" is the highest TXID, whatever clocks did meanwhile: a restore to an
 * instant takes that one too. A slot ages as a whole, when all of it is older than the tier.
 *
 * While nothing but time passes and points are added, a point that is not promised will never be promised again; what was dropped
 * was never needed later.
 */
export function promisedPoints(
  points: readonly RestorePoint[],
  files: readonly LTXFile[],
  policy: RetentionPolicy,
  { now, pinned }: Claims,
): Set<TXID> {
  const promised = new Set(newestSnapshots(files, policy.minSnapshots))
  const newest = points[points.length - 1]
  if (newest) promised.add(newest.txid)
  const tiers = policy.keep.map((tier) => ({ tier, taken: new Set<number>() }))
  for (let i = points.length - 1; i >= 0; i--) {
    const { txid, time } = points[i] as RestorePoint
    if (pinned.has(txid)) promised.add(txid)
    for (const { tier, taken } of tiers) {
      if (isPromised(tier, time.getTime(), now.getTime(), taken)) promised.add(txid)
    }
  }
  return promised
}

/** The TXIDs of the newest snapshots, newest first. */
export function newestSnapshots(files: readonly LTXFile[], count: number): TXID[] {
  const txids = new Set<TXID>()
  for (const file of files) if (file.minTXID === 1n) txids.add(file.maxTXID)
  return [...txids].sort((a, b) => (a > b ? -1 : 1)).slice(0, count)
}

/** Points come from the highest TXID down, so the first one in a slot is its last. */
function isPromised(
  { every, for: span }: RetentionTier,
  time: number,
  now: number,
  taken: Set<number>,
): boolean {
  if (every === 'capture') return now - time <= span
  const slot = Math.floor(time / every)
  if (taken.has(slot)) return false
  taken.add(slot)
  // Of the whole slot, not of this point: where clocks went back inside it, an older last point would leave, and a younger one
  // before it would be the last, after it was given up.
  return now - (slot + 1) * every < span
}
