import { isStorageError } from '@sqlstream/storage'
import { type Catalog, createCatalog, filesOf, isLongEnough, type LTXFile } from '../catalog.ts'
import { isReplicaError } from '../errors.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import type { RetentionPlan } from './plan-retention.ts'

// Headers are small requests: this many at a time hide the round trips and stay far below any store's limit.
const PARALLEL_HEADERS = 16

/**
 * The catalog with the header times of states that a plan would give up, where no file has told them yet; undefined when there are none.
 *
 * A listing tells when a store received a file. A merge is received after its last capture, maybe in a later slot, where it would
 * yield to the next one: nothing would be left of its own slot. So a state is only given up by its real time. States that stay need
 * none: too late a time keeps them too long.
 */
export async function learnTimes(
  replica: Replica,
  catalog: Catalog,
  plan: RetentionPlan,
  options: AbortOptions = {},
): Promise<Catalog | undefined> {
  const ends = new Set(plan.doom.map((file) => file.maxTXID))
  const unknown = new Set(plan.lost.map(({ txid }) => txid).filter((txid) => ends.has(txid)))
  const files = filesOf(catalog)
  for (const file of files) if (file.timestamp) unknown.delete(file.maxTXID)
  const queue: LTXFile[] = []
  for (const file of files) {
    // Levels ascend: a snapshot, which may carry the time at which it was made, comes last.
    if (isLongEnough(file) && unknown.delete(file.maxTXID)) queue.push(file)
  }
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

/** A file that is damaged or gone tells no other time than that of the listing. */
async function timeOf(replica: Replica, file: LTXFile, options: AbortOptions): Promise<Date> {
  try {
    return new Date((await replica.header(file, options)).timestamp)
  } catch (error) {
    if (isReplicaError(error, 'corrupt') || isStorageError(error, 'not-found')) return file.modified
    throw error
  }
}
