import {
  type AbortOptions,
  type Catalog,
  isReplicaError,
  planRestore,
  type Replica,
  ReplicaError,
  type RestorePlan,
  type RestoreTarget,
  readDoomed,
  withoutRemains,
} from '@sqlstream/replica'
import { isStorageError } from '@sqlstream/storage'

/** A plan, and what it was made from. */
export interface PlannedRestore {
  readonly plan: RestorePlan
  /** With the times that had to be read. */
  readonly catalog: Catalog
}

/** Plans a restore: by files that will stay if there are such, and with the times that the target needs. Throws as `planRestore` does. */
export async function planFrom(
  replica: Replica,
  catalog: Catalog,
  target: RestoreTarget,
  options: AbortOptions,
): Promise<PlannedRestore> {
  const avoid = await keysToAvoid(replica, options)
  const whole = withoutRemains(catalog, avoid)
  const timed =
    target.kind === 'timestamp' ? await replica.withTimestamps(whole, target.timestamp, options) : whole
  try {
    return { plan: planRestore(timed, target, { avoid }), catalog: timed }
  } catch (error) {
    throw await withOlderBackup(error, replica, target, options)
  }
}

/** Files that retention will remove. Who may not read the record restores all the same: a file that is gone is planned around. */
async function keysToAvoid(replica: Replica, options: AbortOptions): Promise<ReadonlySet<string>> {
  try {
    return new Set((await readDoomed(replica.store, options)).doomed.keys())
  } catch (error) {
    if (isStorageError(error, 'permission-denied')) return new Set()
    throw error
  }
}

/** A wish for what was before all LTX files is told of the older backup, if one lies there too. */
async function withOlderBackup(
  error: unknown,
  replica: Replica,
  target: RestoreTarget,
  options: AbortOptions,
): Promise<unknown> {
  if (target.kind !== 'timestamp' || !isReplicaError(error, 'target-before-first')) return error
  const { generations } = await replica.generations(options)
  const ids = [...generations.keys()]
  if (ids.length === 0) return error
  return new ReplicaError(error.code, error.message, {
    cause: error,
    hint: `Older states may be in the backup of Litestream 0.3 beside: --generation ${ids.join(' or --generation ')}.`,
  })
}
