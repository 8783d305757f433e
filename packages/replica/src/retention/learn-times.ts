import { isStorageError } from '@sqlstream/storage'
import { type Catalog, createCatalog, filesOf, isLongEnough, type LTXFile } from '../catalog.ts'
import { isReplicaError } from '../errors.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import type { RetentionPlan } from './plan-retention.ts'
import type { RetentionPolicy } from './policy.ts'
import { type RestorePoint, tellsTime } from './promises.ts'

// Headers are small requests: this many at a time hide the round trips and stay far below any store's limit.
const PARALLEL_HEADERS = 16

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
  const times = new Map<LTXFile, Date>()
  const work = async (): Promise<void> => {
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      times.set(file, await timeOf(replica, file, options))
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL_HEADERS, queue.length) }, work))
  return createCatalog(
    files.map((file) => {
      const timestamp = times.get(file)
      return timestamp ? { ...file, timestamp } : file
    }),
  )
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

/** A file that is damaged or gone tells no other time than that of the listing. */
async function timeOf(replica: Replica, file: LTXFile, options: AbortOptions): Promise<Date> {
  try {
    return new Date((await replica.header(file, options)).timestamp)
  } catch (error) {
    if (isReplicaError(error, 'corrupt') || isStorageError(error, 'not-found')) return file.modified
    throw error
  }
}
