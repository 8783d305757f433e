import type { TXID } from '@sqlstream/ltx'
import { fileTime, isLongEnough, type LTXFile } from '../catalog.ts'
import { latestStart } from '../chain.ts'
import type { Doomed } from './by-grace.ts'
import { longestAge, type RetentionPolicy } from './policy.ts'

/**
 * Files that no chain reaches and that stay nevertheless: behind a hole, or too short to be LTX files.
 *
 * - Beyond the newest state, at any age: as long as they are there, a restore of the newest state fails and says what is missing.
 *   Without them it would give an old state, and nobody would know.
 * - Elsewhere, while they are younger than anything that the policy speaks of: what is missing may still arrive, or be brought back
 *   by hand, and then they are states again.
 *
 * Not where nothing is missing: a capture inside a merge whose other sources were deleted (Litestream deletes them by age), and what
 * a removal of ours that ended half-way has cut off.
 *
 * @param points the states that all files lead to, ascending
 */
export function unconnectedFiles(
  all: readonly LTXFile[],
  points: readonly TXID[],
  { policy, now, doomed }: { readonly policy: RetentionPolicy; readonly now: Date; readonly doomed: Doomed },
): Set<LTXFile> {
  const newest = points[points.length - 1] ?? 0n
  const limit = longestAge(policy)
  const connected: LTXFile[] = []
  const unconnected: LTXFile[] = []
  for (const file of all) {
    if (isLongEnough(file) && latestStart(file, points) !== undefined) connected.push(file)
    else unconnected.push(file)
  }
  const covered = coveredBy(connected, unconnected)
  return new Set(
    unconnected.filter((file) => {
      if (file.maxTXID > newest) return true
      if (doomed.has(file.key) || covered.has(file)) return false
      return now.getTime() - fileTime(file) <= limit
    }),
  )
}

/** Those of the files whose transactions lie in one merge that is on a chain. Snapshots do not count: they cover every hole before. */
function coveredBy(connected: readonly LTXFile[], files: readonly LTXFile[]): Set<LTXFile> {
  const covered = new Set<LTXFile>()
  if (files.length === 0) return covered
  const merges = connected.filter((file) => file.minTXID !== 1n).sort(byFirstTXID)
  let at = 0
  let end = 0n
  for (const file of [...files].sort(byFirstTXID)) {
    for (; at < merges.length && (merges[at] as LTXFile).minTXID <= file.minTXID; at++) {
      const { maxTXID } = merges[at] as LTXFile
      if (maxTXID > end) end = maxTXID
    }
    if (file.maxTXID <= end) covered.add(file)
  }
  return covered
}

function byFirstTXID(a: LTXFile, b: LTXFile): number {
  return a.minTXID < b.minTXID ? -1 : a.minTXID > b.minTXID ? 1 : 0
}
