import type { TXID } from '@sqlstream/ltx'
import { isLongEnough, type LTXFile } from '../catalog.ts'
import { filesOfChains, latestStart, reachableTXIDs } from '../chain.ts'
import type { RetentionPolicy } from './policy.ts'

/** Since when files have been unneeded, by key. */
export type Doomed = ReadonlyMap<string, Date>

/** What becomes of files that are not needed. */
export interface Fates {
  /** Not recorded as unneeded before. */
  readonly doom: readonly LTXFile[]
  /** Recorded, and to stay for now. */
  readonly waiting: readonly LTXFile[]
  /** To remove, in this order. */
  readonly remove: readonly LTXFile[]
  /** The record of all of them. */
  readonly doomed: Doomed
}

/** What the fates depend on. */
interface Circumstances {
  readonly usable: readonly LTXFile[]
  /** The states that all files lead to. */
  readonly points: readonly TXID[]
  readonly policy: RetentionPolicy
  readonly now: Date
  readonly doomed: Doomed
}

/** Which of the unneeded files are new, which wait, which go. */
export function byGrace(unneeded: readonly LTXFile[], circumstances: Circumstances): Fates {
  const { policy, now, doomed: before } = circumstances
  const doom: LTXFile[] = []
  const waiting: LTXFile[] = []
  const over: LTXFile[] = []
  const doomed = new Map<string, Date>()
  for (const file of unneeded) {
    const recorded = before.get(file.key)
    // A time that is still to come is that of a wrong clock: the grace begins anew.
    const since = recorded === undefined || recorded > now ? now : recorded
    doomed.set(file.key, since)
    if (recorded === undefined) doom.push(file)
    else if (now.getTime() - since.getTime() < policy.grace) waiting.push(file)
    else over.push(file)
  }
  const held = buildingGround([...doom, ...waiting], new Set(over), circumstances)
  return {
    doom,
    waiting: [...waiting, ...over.filter((file) => held.has(file))],
    // A file goes before those that it builds on.
    remove: over.filter((file) => !held.has(file)).sort(newestFirst),
    doomed,
  }
}

/**
 * Those of the files whose grace is over that another one, whose grace is not, builds on. Without them that one would hang in the air:
 * a restore to an instant may still choose it, and would find a hole. A merge that was made of files which were doomed already is
 * such a case.
 */
function buildingGround(
  staying: readonly LTXFile[],
  over: ReadonlySet<LTXFile>,
  { usable, points }: Circumstances,
): ReadonlySet<LTXFile> {
  if (over.size === 0 || staying.length === 0) return new Set()
  const left = reachableTXIDs(usable.filter((file) => !over.has(file)))
  const needed = new Set<TXID>()
  for (const file of staying) {
    if (!isLongEnough(file) || latestStart(file, left) !== undefined) continue
    const point = latestStart(file, points)
    if (point !== undefined) needed.add(point)
  }
  return filesOfChains(usable, needed)
}

function newestFirst(a: LTXFile, b: LTXFile): number {
  return a.maxTXID === b.maxTXID ? 0 : a.maxTXID > b.maxTXID ? -1 : 1
}
