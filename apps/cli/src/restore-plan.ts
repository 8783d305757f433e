import {
  type AbortOptions,
  type Catalog,
  isReplicaError,
  type PlannedRestore,
  planFromCatalog,
  type Replica,
  ReplicaError,
  type RestoreTarget,
} from '@sqlstream/replica'

/** As `planFromCatalog`, with a hint at an older backup that lies in the same place. */
export async function planFrom(
  replica: Replica,
  catalog: Catalog,
  target: RestoreTarget,
  options: AbortOptions,
): Promise<PlannedRestore> {
  try {
    return await planFromCatalog(replica, catalog, target, options)
  } catch (error) {
    throw await withOlderBackup(error, replica, target, options)
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
