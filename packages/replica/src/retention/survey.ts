import type { ETag } from '@sqlstream/storage'
import type { Catalog } from '../catalog.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import type { Doomed } from './by-grace.ts'
import { readDoomed } from './doomed-record.ts'
import { learnTimes } from './learn-times.ts'
import { listPins, type Pin } from './pins.ts'
import { planRetention, type RetentionPlan } from './plan-retention.ts'
import type { RetentionPolicy } from './policy.ts'

/** What retention works from. */
export interface SurveyOptions extends AbortOptions {
  /** By the wall clock of whoever runs retention, always the same machine's if possible. */
  readonly now: Date
  /** Default: listed. A writer that knows its own files spares the listing and, by their timestamps, all reading of headers. */
  readonly catalog?: Catalog | undefined
  /**
   * The record of unneeded files, as the last run under the same lease left it. With it and a catalog, a run that finds nothing to do
   * makes no request at all. Default: read.
   */
  readonly doomed?: Doomed | undefined
}

/** A retention plan, and what it was made from. */
export interface Survey {
  readonly plan: RetentionPlan
  /** As given or listed, with the times that had to be read. */
  readonly catalog: Catalog
  /** Those that hold a state, and those that have expired. Empty when nothing was going to be done anyway. */
  readonly pins: readonly Pin[]
  /** The record in the store; undefined when it was not read. */
  readonly record: { readonly doomed: Doomed; readonly etag: ETag | undefined } | undefined
}

/**
 * Plans retention for a replica and changes nothing: `plan` says what would be marked and removed, and what stays restorable.
 *
 * Throws ReplicaError `bad-name`, `corrupt` when a pin cannot be read, `unsafe-removal`; and the store's errors.
 */
export async function surveyRetention(
  replica: Replica,
  policy: RetentionPolicy,
  options: SurveyOptions,
): Promise<Survey> {
  const { now, doomed: known } = options
  let catalog = options.catalog ?? (await replica.catalog(options))
  const first = planRetention({ catalog, policy, now, doomed: known })
  if (policy.neverDelete || (known && !changesAnything(first))) {
    return { plan: first, catalog, pins: [], record: undefined }
  }
  const record = await readDoomed(replica.store, options)
  const { doomed } = record
  // After the files were listed, and right before any is removed: who has pinned earlier is seen, who comes later sees the record.
  const pins = await listPins(replica.store, options)
  const pinned = new Set(pins.filter(({ expires }) => expires > now).map(({ txid }) => txid))
  for (;;) {
    const plan = planRetention({ catalog, policy, now, pinned, doomed })
    const better = await learnTimes(replica, catalog, plan, policy, options)
    if (better === undefined) return { plan, catalog, pins, record }
    catalog = better
  }
}

/** Whether a plan asks for a change of the store. */
export function changesAnything({ doom, undoom, remove }: RetentionPlan): boolean {
  return doom.length > 0 || undoom.length > 0 || remove.length > 0
}
