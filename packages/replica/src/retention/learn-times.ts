import { type Catalog, filesOf, isLongEnough, type LTXFile } from '../catalog.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { readHeaderTimes, withTimes } from '../timestamps.ts'
import type { RetentionPlan } from './plan-retention.ts'
import type { RetentionPolicy } from './policy.ts'
import { type RestorePoint, tellsTime } from './promises.ts'

/**
 * The catalog with the header times of states that a plan would give up, where no file has told them yet; undefined when there are none.
 *
 * A listing tells when a store received a file. A merge is received after its last capture, maybe in a later slot, where it would
 * yield to the next one: nothing would be left of its own slot. So a state is only given up by its real time, and only for one whose
 * real time is in the same slot: a store's clock may be behind the writer's. Other states that stay need none.
 */
export async function learnTimes(
  replica: Replica,
  catalog: Catalog,
  plan: RetentionPlan,
  policy: RetentionPolicy,
  options: AbortOptions = {},
): Promise<Catalog | undefined> {
  const ends = new Set(plan.doom.map((file) => file.maxTXID))
  const lost = plan.lost.filter(({ txid }) => ends.has(txid))
  const files = filesOf(catalog)
  const queue = untold(files, lost)
  // Which states take their places shows when it is known where those are.
  if (queue.length === 0) queue.push(...untold(files, successors(lost, plan.promised, policy)))
  if (queue.length === 0) return undefined
  const times = await readHeaderTimes(replica, queue, options)
  // A file that is damaged or gone tells no other time than that of the listing.
  for (const file of queue) if (!times.has(file)) times.set(file, file.modified)
  return withTimes(catalog, times)
}

/** A file for each state whose time none tells. */
function untold(files: readonly LTXFile[], points: readonly RestorePoint[]): LTXFile[] {
  const unknown = new Set(points.map(({ txid }) => txid))
  for (const file of files) if (tellsTime(file)) unknown.delete(file.maxTXID)
  const found: LTXFile[] = []
  for (const file of files) {
    // Levels ascend: a snapshot comes last.
    if (isLongEnough(file) && unknown.delete(file.maxTXID) && file.timestamp === undefined) found.push(file)
  }
  return found
}

/** The promised states for which these are given up: the last ones of their slots. */
function successors(
  lost: readonly RestorePoint[],
  promised: readonly RestorePoint[],
  { keep }: RetentionPolicy,
): RestorePoint[] {
  const found = new Set<RestorePoint>()
  for (const { every } of keep) {
    if (every === 'capture') continue
    const slotOf = ({ time }: RestorePoint): number => Math.floor(time.getTime() / every)
    // They ascend: the last one stays in the map.
    const last = new Map(promised.map((point) => [slotOf(point), point]))
    for (const point of lost) {
      const successor = last.get(slotOf(point))
      if (successor && successor.txid > point.txid) found.add(successor)
    }
  }
  return [...found]
}
