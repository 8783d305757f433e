import { isStorageError } from '@sqlstream/storage'
import { type Catalog, createCatalog, filesOf, type LTXFile, withFiles } from '../catalog.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { withHeaderTimes } from '../timestamps.ts'
import type { ReplicaWriter } from '../writer.ts'
import { runMerge } from './merge.ts'
import type { MergeRunOptions } from './merge-inputs.ts'
import { type CompactionPolicy, type Merge, pendingFiles, planCompaction } from './plan-compaction.ts'

/** How often a listing may show that files are gone before that is an error. */
const MOST_LISTINGS = 5

/** A merge that was done. */
export interface Merged {
  readonly file: LTXFile
  readonly inputs: readonly LTXFile[]
  readonly milliseconds: number
}

/** Options of `compact`. */
export interface CompactOptions extends AbortOptions {
  readonly policy?: CompactionPolicy
  /** Milliseconds since 1970. Default: the clock, asked again for each plan. */
  readonly now?: () => number
  /** See `MergeRunOptions`. */
  readonly local?: MergeRunOptions['local']
  /** Called after each merge, with the file in the catalog. Must not throw. */
  readonly onMerged?: ((merged: Merged) => void) | undefined
}

/** What `compact` leaves. */
export interface CompactResult {
  /** With the new files. */
  readonly catalog: Catalog
  /** See `CompactionPlan`. */
  readonly nextAt: number | undefined
}

/**
 * Carries out what `planCompaction` says until nothing more is due. Stopped at any point it leaves a whole replica, and goes on
 * from there the next time. Files whose header's time is not known are asked for it first, one request each: listings tell when a
 * file was uploaded, and a file that waited for that belongs to an earlier slot. A catalog that has files which are gone, as after a run of
 * retention that failed half-way, is replaced by a listing. Throws what `runMerge` throws; merges that are done stay.
 */
export async function compact(
  replica: Replica,
  writer: ReplicaWriter,
  catalog: Catalog,
  options: CompactOptions = {},
): Promise<CompactResult> {
  const { policy, now = Date.now, signal, local, onMerged } = options
  let current = await withHeaderTimes(replica, catalog, pendingFiles(catalog, policy), { signal })
  for (let listings = 0; ; ) {
    const plan = planCompaction(current, now(), policy)
    const [merge] = plan.merges
    if (!merge) return { catalog: current, nextAt: plan.nextAt }
    try {
      current = withFiles(current, [await runTimed(replica, writer, merge, { signal, local, onMerged })])
    } catch (error) {
      if (!isStorageError(error, 'not-found') || listings++ === MOST_LISTINGS) throw error
      const listed = asListed(current, await replica.catalog({ signal }))
      current = await withHeaderTimes(replica, listed, pendingFiles(listed, policy), { signal })
    }
  }
}

/** What is there, with what is known of it. */
function asListed(known: Catalog, listed: Catalog): Catalog {
  const files = new Map(filesOf(known).map((file) => [file.key, file]))
  return createCatalog(filesOf(listed).map((file) => files.get(file.key) ?? file))
}

/** Does a merge and tells of it. */
export async function runTimed(
  replica: Replica,
  writer: ReplicaWriter,
  merge: Merge,
  { signal, local, onMerged }: Pick<CompactOptions, 'signal' | 'local' | 'onMerged'>,
): Promise<LTXFile> {
  const start = performance.now()
  const file = await runMerge(replica, writer, merge, { signal, local })
  onMerged?.({ file, inputs: merge.inputs, milliseconds: performance.now() - start })
  return file
}
