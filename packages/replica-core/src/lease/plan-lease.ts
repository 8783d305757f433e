import type { Epoch } from '@sqlstream/replica'
import type { LeaseRecord } from './record.ts'

/** How long a version of the lease object has been watched without a change. */
export interface Watched {
  /** ETag of that version. */
  readonly etag: string
  /** On the watcher's own clock, milliseconds. */
  readonly unchangedMs: number
}

/** What whoever wants to write does next. */
export type LeasePlan =
  /** Write a new record, on condition that nobody wrote one meanwhile. */
  | {
      readonly kind: 'take'
      readonly epoch: Epoch
      /** A former holder may be alive and paused, or just have been: files that it sent may still arrive. */
      readonly formerMayWrite: boolean
    }
  /** Look again until the holder has not renewed it for `leftMs` more. */
  | { readonly kind: 'watch'; readonly leftMs: number }

/**
 * Decides who may write, without any clock but the watcher's own: a holder counts as gone only when its record stayed the same
 * for its whole time to live while we looked. Pure.
 *
 * @param found the record that is there, with its ETag
 * @param place ours: a record of the same place was left by a process that is dead, because we hold its local lock
 */
export function planLease(
  found: { readonly record: LeaseRecord; readonly etag: string } | undefined,
  place: string,
  watched?: Watched,
): LeasePlan {
  if (found === undefined) return { kind: 'take', epoch: 1n as Epoch, formerMayWrite: false }
  const { record, etag } = found
  const epoch = (record.epoch + 1n) as Epoch
  if (record.state === 'released' || record.place === place)
    return { kind: 'take', epoch, formerMayWrite: record.inFlight }
  const unchangedMs = watched?.etag === etag ? watched.unchangedMs : 0
  if (unchangedMs >= record.ttlMs) return { kind: 'take', epoch, formerMayWrite: true }
  return { kind: 'watch', leftMs: record.ttlMs - unchangedMs }
}

/** How a holder stands, by the age of its last renewal. */
export type HoldPlan =
  /** Write. */
  | 'fresh'
  /** Write, and renew beside that. */
  | 'due'
  /** Renew, then write. */
  | 'stale'

/**
 * A third of the time to live is for use, then it is renewed; in the last sixth nothing is written any more, because what is
 * sent takes time to arrive. Pure.
 *
 * @param ageMs since the last successful renewal was sent
 */
export function planHold(ageMs: number, ttlMs: number): HoldPlan {
  if (ageMs >= (ttlMs * 5) / 6) return 'stale'
  return ageMs >= ttlMs / 3 ? 'due' : 'fresh'
}
