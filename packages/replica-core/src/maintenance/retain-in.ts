import { type Catalog, type Doomed, filesOf, fileTime } from '@sqlstream/replica'

/** See `MaintenanceOptions.retainEveryMs`. */
export const RETAIN_EVERY_MS: number = 15 * 60_000
/** The longer the last commit is ago, the longer the time between two looks, up to this. */
export const LONGEST_RETAIN_MS: number = 12 * 3_600_000

/**
 * When something may have become too old: soon while much is new, more and more seldom while nothing comes. Marks are heeded when
 * their grace is over.
 */
export function retainIn(
  catalog: Catalog,
  doomed: Doomed | undefined,
  { now, grace, every }: { readonly now: number; readonly grace: number; readonly every: number },
): number {
  let newest = 0
  for (const file of filesOf(catalog)) newest = Math.max(newest, fileTime(file))
  const idle = Math.min(Math.max(every, (now - newest) / 20), LONGEST_RETAIN_MS)
  let due = Number.POSITIVE_INFINITY
  for (const since of doomed?.values() ?? []) due = Math.min(due, since.getTime() + grace)
  return Math.max(every, Math.min(idle, due - now))
}
