import type { TXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, isLongEnough, type LTXFile, SNAPSHOT_LEVEL } from './catalog.ts'
import { REQUEST_BYTES } from './request-cost.ts'

/**
 * The cheapest files that lead to a TXID: the newest snapshot at or before it, then files without a hole between them,
 * or undefined when there is no such chain.
 *
 * The newest snapshot is always enough: a chain from an older one has a file that reaches over the newer one's TXID, and
 * a file applies to every state from the one before its first TXID on.
 */
export function cheapestChain(files: readonly LTXFile[], target: TXID): LTXFile[] | undefined {
  const base = newestSnapshot(files, target)
  if (!base) return undefined
  const steps = byLastTXID(files).filter(
    (file) => file.maxTXID > base.maxTXID && file.maxTXID <= target && file.minTXID !== 1n,
  )
  const points = pointsFrom(base, steps)
  if (points[points.length - 1]?.txid !== target) return undefined
  return wayTo(points)
}

/** The files on the way to the last of these states. */
function wayTo(points: readonly Point[]): LTXFile[] {
  const chain: LTXFile[] = []
  for (let at = points.length - 1; at >= 0; at = (points[at] as Point).from) {
    const { via } = points[at] as Point
    if (via) chain.push(via)
  }
  return chain.reverse()
}

/**
 * The cheapest files that lead on from a state that is at hand, as far as they connect; none when nothing follows it. A file that
 * repeats transactions of the state is as good as one that begins right after it.
 */
export function chainAfter(files: readonly LTXFile[], from: TXID): readonly LTXFile[] {
  const steps = byLastTXID(files).filter((file) => file.maxTXID > from && file.minTXID !== 1n)
  const start: Point = { txid: from, cost: 0, via: undefined, from: -1 }
  return wayTo(pointsBy(start, steps))
}

/**
 * The files of the cheapest chains to all of these TXIDs, those that `cheapestChain` would give for each. TXIDs that no chain
 * leads to add nothing. All chains from one snapshot are found at once, so this takes about as long as a single chain.
 */
export function filesOfChains(files: readonly LTXFile[], targets: ReadonlySet<TXID>): Set<LTXFile> {
  const bases: LTXFile[] = []
  const steps: LTXFile[] = []
  for (const file of byLastTXID(files)) {
    if (file.minTXID !== 1n) steps.push(file)
    // Of snapshots with the same end the cheapest comes first.
    else if (bases[bases.length - 1]?.maxTXID !== file.maxTXID) bases.push(file)
  }
  const found = new Set<LTXFile>()
  let at = 0
  for (const [i, base] of bases.entries()) {
    const next = bases[i + 1]?.maxTXID
    while (at < steps.length && (steps[at] as LTXFile).maxTXID <= base.maxTXID) at++
    const first = at
    while (at < steps.length && (next === undefined || (steps[at] as LTXFile).maxTXID < next)) at++
    markChains(pointsFrom(base, steps.slice(first, at)), targets, found)
  }
  return found
}

/** Adds the files of the ways to those points that are targets. */
function markChains(points: readonly Point[], targets: ReadonlySet<TXID>, found: Set<LTXFile>): void {
  const isOnWay = new Uint8Array(points.length)
  for (let i = points.length - 1; i >= 0; i--) {
    const { txid, via, from } = points[i] as Point
    if (isOnWay[i] === 0 && !targets.has(txid)) continue
    if (via) found.add(via)
    if (from >= 0) isOnWay[from] = 1
  }
}

/** Every state that a snapshot leads to by these files, which are sorted by their last TXID and end after the snapshot. */
function pointsFrom(base: LTXFile, steps: readonly LTXFile[]): Point[] {
  return pointsBy({ txid: base.maxTXID, cost: 0, via: base, from: -1 }, steps)
}

function pointsBy(start: Point, steps: readonly LTXFile[]): Point[] {
  const points: Point[] = [start]
  for (const file of steps) {
    const from = cheapestStart(points, file)
    if (from < 0) continue
    // One wide file is preferred to many small ones of the same total size, never to a total that is clearly smaller.
    const cost = (points[from] as Point).cost + file.size + REQUEST_BYTES
    const last = points[points.length - 1] as Point
    if (last.txid !== file.maxTXID) points.push({ txid: file.maxTXID, cost, via: file, from })
    else if (cost < last.cost) points[points.length - 1] = { txid: file.maxTXID, cost, via: file, from }
  }
  return points
}

/** Every TXID that `planRestore` accepts, ascending: those at which a file ends that a snapshot leads to. */
export function restorableTXIDs(catalog: Catalog): TXID[] {
  return reachableTXIDs(filesOf(catalog).filter(isLongEnough))
}

/** The TXIDs to which some chain of these files leads, ascending. */
export function reachableTXIDs(files: readonly LTXFile[]): TXID[] {
  const points: TXID[] = []
  let last: TXID | undefined
  for (const file of byLastTXID(files)) {
    if (file.maxTXID === last) continue
    // The largest reachable TXID below a file's end is the likeliest to lie at or after its beginning.
    if (file.minTXID === 1n || (last !== undefined && last + 1n >= file.minTXID)) {
      points.push(file.maxTXID)
      last = file.maxTXID
    }
  }
  return points
}

/**
 * The latest of these TXIDs that a file applies to; undefined when there is none, and no chain uses it then. A snapshot applies to nothing
 * and gives its own.
 *
 * @param points those that can be reached, ascending
 */
export function latestStart(file: LTXFile, points: readonly TXID[]): TXID | undefined {
  if (file.minTXID === 1n) return file.maxTXID
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((points[middle] as TXID) < file.maxTXID) low = middle + 1
    else high = middle
  }
  const before = points[low - 1]
  return before !== undefined && before + 1n >= file.minTXID ? before : undefined
}

/** A restorable state and the last step of the cheapest way to it. */
interface Point {
  readonly txid: TXID
  readonly cost: number
  /** Undefined for a state that is at hand. */
  readonly via: LTXFile | undefined
  /** Index of the state that the step starts from; -1 for the first one. */
  readonly from: number
}

function newestSnapshot(files: readonly LTXFile[], target: TXID): LTXFile | undefined {
  let best: LTXFile | undefined
  for (const file of files) {
    if (file.minTXID !== 1n || file.maxTXID > target) continue
    if (!best || file.maxTXID > best.maxTXID || (file.maxTXID === best.maxTXID && isCheaper(file, best))) {
      best = file
    }
  }
  return best
}

/** Of two files with the same content: the smaller one; of equal ones that of the higher level, which stays longer. */
function isCheaper(a: LTXFile, b: LTXFile): boolean {
  if (a.size !== b.size) return a.size < b.size
  if (a.level === b.level) return false
  return a.level === SNAPSHOT_LEVEL || (b.level !== SNAPSHOT_LEVEL && a.level > b.level)
}

/** Index of the cheapest state that a file can be applied to; the latest of equals; -1 when there is none. */
function cheapestStart(points: readonly Point[], file: LTXFile): number {
  const earliest = file.minTXID - 1n
  let best = -1
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i] as Point
    if (point.txid >= file.maxTXID) continue
    if (point.txid < earliest) break
    if (best < 0 || point.cost < (points[best] as Point).cost) best = i
  }
  return best
}

/** By last TXID; of those with the same end the cheapest first, so that a tie keeps the better one. */
function byLastTXID(files: readonly LTXFile[]): LTXFile[] {
  return [...files].sort((a, b) => {
    if (a.maxTXID !== b.maxTXID) return a.maxTXID < b.maxTXID ? -1 : 1
    // In reachableTXIDs the widest file decides, so it comes before narrower ones.
    if (a.minTXID !== b.minTXID) return a.minTXID < b.minTXID ? -1 : 1
    return isCheaper(a, b) ? -1 : isCheaper(b, a) ? 1 : 0
  })
}
