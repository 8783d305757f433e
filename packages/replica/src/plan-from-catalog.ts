import { isStorageError } from '@sqlstream/storage'
import type { Catalog } from './catalog.ts'
import { planRestore, type RestorePlan, type RestoreTarget } from './plan-restore.ts'
import type { AbortOptions, Replica } from './replica.ts'
import { readDoomed } from './retention/doomed-record.ts'
import { withoutRemains } from './retention/without-remains.ts'

/** A plan, and what it was made from. */
export interface PlannedRestore {
  readonly plan: RestorePlan
  /** With the times that had to be read. */
  readonly catalog: Catalog
}

/**
 * Plans a state of a replica as a reader does who wants its files to stay: by files that retention will keep if there are such, and with
 * the times that the target needs. The record of what retention will remove is read while the listing is under way.
 *
 * Throws as `planRestore`; the store's errors.
 */
export async function planFromCatalog(
  replica: Replica,
  listing: Catalog | Promise<Catalog>,
  target: RestoreTarget,
  options: AbortOptions = {},
): Promise<PlannedRestore> {
  const [listed, avoid] = await Promise.all([listing, keysToAvoid(replica, options)])
  const whole = withoutRemains(listed, avoid)
  const catalog =
    target.kind === 'timestamp' ? await replica.withTimestamps(whole, target.timestamp, options) : whole
  return { plan: planRestore(catalog, target, { avoid }), catalog }
}

/** Files that retention will remove. Who may not read the record reads all the same: a file that is gone is planned around. */
async function keysToAvoid(replica: Replica, options: AbortOptions): Promise<ReadonlySet<string>> {
  try {
    return new Set((await readDoomed(replica.store, options)).doomed.keys())
  } catch (error) {
    if (isStorageError(error, 'permission-denied')) return new Set()
    throw error
  }
}
