import { DEFAULT_RETENTION, planCompaction, planRetention } from '@sqlstream/replica'
import type { KnownReplica } from '../state/rest-record.ts'
import type { MaintenanceOptions } from './maintenance.ts'
import { RETAIN_EVERY_MS, retainIn } from './retain-in.ts'

/** What a database that rests needs from maintenance. */
export interface DormantWork {
  /** Something is to be merged, marked, removed or proven now. */
  readonly isDue: boolean
  /** When to look again if nothing is, milliseconds since 1970; infinite when nothing will be before something new comes. */
  readonly nextAt: number
}

/** Looks at what was recorded of a replica, without a request. Pure. */
export function planDormant(
  known: KnownReplica,
  now: number,
  { compaction = {}, retention = DEFAULT_RETENTION, verification, retainEveryMs }: MaintenanceOptions,
): DormantWork {
  const { catalog, doomed, verifyAt } = known
  let isDue = false
  let nextAt = Number.POSITIVE_INFINITY
  if (compaction !== 'never') {
    // The latest time of those that differ by process.
    const plan = planCompaction(catalog, now, { jitter: 1, ...compaction })
    isDue = plan.merges.length > 0
    nextAt = plan.nextAt ?? nextAt
  }
  if (retention !== 'never') {
    const { doom, undoom, remove } = planRetention({ catalog, policy: retention, now: new Date(now), doomed })
    isDue ||= doom.length > 0 || undoom.length > 0 || remove.length > 0
    const { grace } = retention
    nextAt = Math.min(
      nextAt,
      now + retainIn(catalog, doomed, { now, grace, every: retainEveryMs ?? RETAIN_EVERY_MS }),
    )
  }
  if (verification !== undefined && verification !== 'never' && verifyAt !== 'never') {
    isDue ||= verifyAt === undefined || verifyAt <= now
    nextAt = Math.min(nextAt, verifyAt ?? now)
  }
  return { isDue, nextAt }
}
