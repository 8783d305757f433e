import { formatTXID, type TXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, isLongEnough, type LTXFile } from '../catalog.ts'
import { filesOfChains, reachableTXIDs } from '../chain.ts'
import { ReplicaError } from '../errors.ts'
import { byGrace, type Doomed, type Fates } from './by-grace.ts'
import { type Outlook, outlook } from './outlook.ts'
import type { RetentionPolicy } from './policy.ts'
import { newestSnapshots, promisedPoints, type RestorePoint, restorePoints } from './promises.ts'
import { unconnectedFiles } from './unconnected-files.ts'

/** What a retention plan is made from. */
export interface RetentionInput {
  readonly catalog: Catalog
  readonly policy: RetentionPolicy
  /** By the wall clock. */
  readonly now: Date
  /** TXIDs that stay restorable whatever the policy says; those that are no restore points hold nothing. Default: none. */
  readonly pinned?: ReadonlySet<TXID> | undefined
  /** What earlier runs found to be unneeded. Default: nothing. */
  readonly doomed?: Doomed | undefined
}

/** Which files go, and what stays restorable. */
export interface RetentionPlan extends Fates {
  /** Found to be unneeded now: they stay for the grace, readers avoid them. */
  readonly doom: readonly LTXFile[]
  /** Were unneeded, and are needed again. */
  readonly undoom: readonly LTXFile[]
  /** Unneeded, and their grace is not over, or not that of files that build on them. */
  readonly waiting: readonly LTXFile[]
  /**
   * To remove now, in this order: a file goes before those that it builds on. So wherever removing ends, what is left of the unneeded
   * files still connects.
   */
  readonly remove: readonly LTXFile[]
  /** On the chains to what is promised. */
  readonly kept: readonly LTXFile[]
  /** On no chain, and still not touched. */
  readonly unconnected: readonly LTXFile[]
  /** What to record: since when each file that is not needed has been so, including those to remove. */
  readonly doomed: Doomed
  /** What is promised, ascending. */
  readonly promised: readonly RestorePoint[]
  /** States that can be restored now, and cannot once the unneeded files are removed; ascending. */
  readonly lost: readonly RestorePoint[]
  /** What stays restorable and what goes, for people. */
  readonly outlook: Outlook
}

/**
 * Decides which files are needed for what the policy promises, and which are not. Pure.
 *
 * Needed are the files of the cheapest chains to the promised points, as `planRestore` would choose them, and those that are on no
 * chain but might be again. A file is removed when it has been recorded as unneeded for the grace and still is.
 *
 * Throws ReplicaError `unsafe-removal` if the files that stay did not lead to each promised point: nothing may be removed then.
 */
export function planRetention(input: RetentionInput): RetentionPlan {
  const { catalog, policy, now, pinned = new Set(), doomed = new Map() } = input
  const all = filesOf(catalog)
  const usable = all.filter(isLongEnough)
  const points = restorePoints(usable)
  const reached = points.map(({ txid }) => txid)
  const txids = promisedPoints(points, usable, policy, { now, pinned })
  const promised = points.filter(({ txid }) => txids.has(txid))
  if (policy.neverDelete) return keepEverything(all, points, promised, input)

  const chains = chainsTo(txids, usable, newestSnapshots(usable, policy.minSnapshots), doomed)
  const kept = usable.filter((file) => chains.has(file))
  const staying = restorePoints(kept)
  assertLeadsTo(txids, staying)
  const unconnected = unconnectedFiles(all, reached, { policy, now, doomed })
  const unneeded = all.filter((file) => !chains.has(file) && !unconnected.has(file))
  return {
    ...byGrace(unneeded, { usable, points: reached, policy, now, doomed }),
    undoom: [...kept, ...unconnected].filter((file) => doomed.has(file.key)),
    kept,
    unconnected: [...unconnected],
    promised,
    lost: without(points, staying),
    outlook: outlook(points, staying, policy, now),
  }
}

/**
 * The files of chains to all these points. Files that are doomed already are only used where nothing else leads: otherwise a file
 * could be doomed and reprieved in turns, and readers avoid it anyway.
 *
 * @param bases the ends of the newest snapshots, which are needed as snapshots, whatever else leads there
 */
function chainsTo(
  targets: ReadonlySet<TXID>,
  usable: readonly LTXFile[],
  bases: readonly TXID[],
  doomed: Doomed,
): Set<LTXFile> {
  if (doomed.size === 0) return filesOfChains(usable, targets)
  const isBase = ({ minTXID, maxTXID }: LTXFile): boolean => minTXID === 1n && bases.includes(maxTXID)
  const sound = usable.filter((file) => !doomed.has(file.key) || isBase(file))
  const reached = new Set(reachableTXIDs(sound))
  const rest = new Set([...targets].filter((txid) => !reached.has(txid)))
  if (rest.size === 0) return filesOfChains(sound, targets)
  // What has to be reprieved serves the other points too: otherwise the next run would find that out and choose anew.
  const reprieved = filesOfChains(usable, rest)
  return filesOfChains(
    usable.filter((file) => !doomed.has(file.key) || isBase(file) || reprieved.has(file)),
    targets,
  )
}

/** The last line of defence: whatever is wrong above, no promise is broken by it. */
function assertLeadsTo(targets: ReadonlySet<TXID>, points: readonly RestorePoint[]): void {
  const reached = new Set(points.map(({ txid }) => txid))
  for (const txid of targets) {
    if (reached.has(txid)) continue
    throw new ReplicaError(
      'unsafe-removal',
      `the files that retention would keep do not lead to TXID ${formatTXID(txid)}`,
      {
        hint: 'Nothing was removed. This is a mistake in sqlstream: please report it with a listing of the replica.',
      },
    )
  }
}

/** In append-only mode nothing is even marked. */
function keepEverything(
  all: readonly LTXFile[],
  points: readonly RestorePoint[],
  promised: readonly RestorePoint[],
  { policy, now, doomed = new Map() }: RetentionInput,
): RetentionPlan {
  const nothing: readonly LTXFile[] = []
  return {
    doom: nothing,
    undoom: nothing,
    waiting: nothing,
    remove: nothing,
    kept: all,
    unconnected: nothing,
    doomed,
    promised,
    lost: [],
    outlook: outlook(points, points, policy, now),
  }
}

function without(points: readonly RestorePoint[], others: readonly RestorePoint[]): RestorePoint[] {
  const txids = new Set(others.map(({ txid }) => txid))
  return points.filter(({ txid }) => !txids.has(txid))
}
