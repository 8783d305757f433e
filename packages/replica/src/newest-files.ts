import { type TXID, toTXID } from '@sqlstream/ltx'
import { isStorageError } from '@sqlstream/storage'
import { type Catalog, headOf, type LTXFile } from './catalog.ts'
import { ltxKey } from './layout.ts'
import type { AbortOptions, Replica } from './replica.ts'

/**
 * A catalog with the captures behind its head that a stale listing did not show yet: each is asked for by its name, until one
 * is not there. For stores whose listing is not consistent; costs a request, and one for each file that was missing.
 */
export async function withNewestFiles(
  replica: Replica,
  catalog: Catalog,
  options: AbortOptions = {},
): Promise<Catalog> {
  const found: LTXFile[] = []
  for (let txid = (headOf(catalog) ?? 0n) + 1n; ; txid++) {
    const file = await captureOf(replica, toTXID(txid), options)
    if (file === undefined) break
    found.push(file)
  }
  if (found.length === 0) return catalog
  const levels = new Map(catalog.levels)
  levels.set(0, [...(levels.get(0) ?? []), ...found])
  return { ...catalog, levels }
}

async function captureOf(replica: Replica, txid: TXID, options: AbortOptions): Promise<LTXFile | undefined> {
  const range = { minTXID: txid, maxTXID: txid }
  const key = ltxKey(replica.layout, 0, range)
  try {
    const { size, modified } = await replica.store.head(key, options)
    return { ...range, key, level: 0, size, modified }
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    throw error
  }
}
