import { type Catalog, createCatalog, filesOf, type LTXFile } from '../catalog.ts'
import type { Lease } from '../lease.ts'
import type { Replica } from '../replica.ts'
import type { Doomed } from './by-grace.ts'
import { encodeDoomed, writeDoomed } from './doomed-record.ts'
import { pinKey } from './pins.ts'
import type { RetentionPlan } from './plan-retention.ts'
import type { RetentionPolicy } from './policy.ts'
import { newestSnapshots } from './promises.ts'
import { proveSnapshot } from './prove-snapshot.ts'
import { type Survey, type SurveyOptions, surveyRetention } from './survey.ts'

// Stores take up to 1,000 keys in a request. Fewer, so that an abort or a lost lease ends it soon.
const BATCH = 500

/** Options of `retain`. */
export interface RetainOptions extends SurveyOptions {
  /** Called after each batch of removed files. */
  readonly onRemoved?: ((files: readonly LTXFile[]) => void) | undefined
}

/** What a run of retention did. */
export interface RetentionResult {
  readonly plan: RetentionPlan
  readonly removed: readonly LTXFile[]
  /** Sizes of the removed files. */
  readonly bytesFreed: number
  /** What is left, with the times that had to be read: for the next run, with what is added until then. */
  readonly catalog: Catalog
  /** What is recorded as unneeded: for the next run under the same lease. */
  readonly doomed: Doomed
}

/**
 * Marks what is no longer needed for what the policy promises, and removes what was marked at least `policy.grace` ago. Whenever it
 * ends, by an error, an abort or the death of the process, everything promised is still there, and the next run, on whatever machine, goes on.
 *
 * Requests: a listing unless a catalog is given; none more when nothing changes (see `SurveyOptions.doomed`); else a get of the record and a
 * listing of the pins, a put of the record before and one after removing, one delete for 500 files. Before a snapshot is removed, the
 * newest `policy.minSnapshots` that stay are proven to be whole, by a head and two or three ranged reads each.
 *
 * Throws ReplicaError `fenced`, `corrupt` when a snapshot to be relied on or a pin is damaged, `unsafe-removal`; and the store's errors.
 */
export async function retain(
  replica: Replica,
  lease: Lease,
  policy: RetentionPolicy,
  options: RetainOptions,
): Promise<RetentionResult> {
  const survey = await surveyRetention(replica, policy, options)
  const { plan, record } = survey
  if (record === undefined) return resultOf(survey, [], options.doomed ?? plan.doomed)
  await proveBases(replica, plan, policy, options)
  const writeRecord = recordWriter(replica, lease, record, options)
  await writeRecord(plan.doomed)
  const writer = replica.writer(lease)
  for (let at = 0; at < plan.remove.length; at += BATCH) {
    const batch = plan.remove.slice(at, at + BATCH)
    await writer.remove(batch, options)
    options.onRemoved?.(batch)
  }
  const left = new Map(plan.doomed)
  for (const { key } of plan.remove) left.delete(key)
  await writeRecord(left)
  await sweepPins(replica, lease, survey, policy, options)
  return resultOf(survey, plan.remove, left)
}

/** A snapshot is only given up for others that are known to be good, not merely listed. */
async function proveBases(
  replica: Replica,
  { remove, kept }: RetentionPlan,
  policy: RetentionPolicy,
  options: RetainOptions,
): Promise<void> {
  if (!remove.some((file) => file.minTXID === 1n)) return
  const newest = newestSnapshots(kept, policy.minSnapshots)
  for (const file of kept) {
    if (file.minTXID === 1n && newest.includes(file.maxTXID)) await proveSnapshot(replica, file, options)
  }
}

/** Writes the record when it says something new. */
function recordWriter(
  replica: Replica,
  lease: Lease,
  found: NonNullable<Survey['record']>,
  options: RetainOptions,
): (doomed: Doomed) => Promise<void> {
  let { etag } = found
  let written = encodeDoomed(found.doomed)
  return async (doomed) => {
    const bytes = encodeDoomed(doomed)
    if (areEqual(bytes, written)) return
    etag = await writeDoomed(replica.store, lease, doomed, etag, options)
    written = bytes
  }
}

/** Those that expired a grace ago: a late renewal of a younger one would be swept with it. */
async function sweepPins(
  replica: Replica,
  lease: Lease,
  { pins }: Survey,
  policy: RetentionPolicy,
  options: RetainOptions,
): Promise<void> {
  const expired = pins.filter(({ expires }) => options.now.getTime() - expires.getTime() >= policy.grace)
  if (expired.length === 0) return
  const keys = expired.map(({ id }) => pinKey(id))
  await lease.during((signal) => replica.store.delete(keys, { signal }), options)
}

function resultOf({ plan, catalog }: Survey, removed: readonly LTXFile[], doomed: Doomed): RetentionResult {
  const gone = new Set(removed)
  return {
    plan,
    removed,
    bytesFreed: removed.reduce((sum, file) => sum + file.size, 0),
    catalog: createCatalog(filesOf(catalog).filter((file) => !gone.has(file))),
    doomed,
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}
