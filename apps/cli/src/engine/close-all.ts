import { isComplete } from '@sqlstream/replica-core'
import type { ClosedDatabase } from '../library/report.ts'
import type { Work } from './targets.ts'

/** Uploads what is left of everything and lets go; says what of it is safe. One that fails does not keep the others from it. */
export async function closeAll(
  { pairs, folders }: Work,
  signal: AbortSignal,
): Promise<readonly ClosedDatabase[]> {
  const ofPairs = pairs.map(async (each): Promise<ClosedDatabase[]> => {
    const { database } = each.pair
    try {
      const report = await each.stop(signal)
      return [{ database, complete: isComplete(report), pendingFiles: report.pendingFiles }]
    } catch {
      return [{ database, complete: false }]
    }
  })
  const ofFolders = folders.map(async (each): Promise<ClosedDatabase[]> => {
    try {
      const { incomplete } = await each.stop(signal)
      return incomplete.map(({ path }) => ({ database: path, complete: false }))
    } catch {
      return [{ database: each.watched.folder, complete: false }]
    }
  })
  return (await Promise.all([...ofPairs, ...ofFolders])).flat()
}
