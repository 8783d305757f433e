import { type Catalog, createCatalog, filesOf, isLongEnough } from '../catalog.ts'
import { latestStart, reachableTXIDs } from '../chain.ts'

/**
 * The catalog without those files to be removed that connect to nothing any more: a removal is under way, or ended half-way. What they
 * built on is not missing, it was given up; left in, they would be a gap for a restore to their instants. Files beyond the newest state stay
 * in any case: retention never gives them up. Pure.
 *
 * @param doomed keys of the files to be removed (`readDoomed`)
 */
export function withoutRemains(catalog: Catalog, doomed: ReadonlySet<string>): Catalog {
  if (doomed.size === 0) return catalog
  const all = filesOf(catalog)
  const points = reachableTXIDs(all.filter(isLongEnough))
  const newest = points[points.length - 1] ?? 0n
  return createCatalog(
    all.filter(
      (file) => !doomed.has(file.key) || file.maxTXID > newest || latestStart(file, points) !== undefined,
    ),
  )
}
