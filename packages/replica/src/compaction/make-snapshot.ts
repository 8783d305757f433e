import type { TXID } from '@sqlstream/ltx'
import { type Catalog, withFiles } from '../catalog.ts'
import { planRestore } from '../plan-restore.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import type { ReplicaWriter } from '../writer.ts'
import { type Merged, runTimed } from './compact.ts'
import type { MergeRunOptions } from './merge-inputs.ts'
import { type CompactionPolicy, planSnapshot } from './plan-compaction.ts'

/** Options of `makeSnapshot`. */
export interface MakeSnapshotOptions extends AbortOptions {
  /** Only `maxInputs` counts. */
  readonly policy?: CompactionPolicy | undefined
  /** See `MergeRunOptions`. */
  readonly local?: MergeRunOptions['local']
  /** Called after each merge. Must not throw. */
  readonly onMerged?: ((merged: Merged) => void) | undefined
}

/** What `makeSnapshot` leaves. */
export interface SnapshotResult {
  /** The newest state, of which there is a snapshot now. */
  readonly txid: TXID
  /** With the new files. */
  readonly catalog: Catalog
}

/**
 * Makes a snapshot of the newest state by merging what the replica holds. Where more files lead to it than one merge may have open, by several,
 * each a snapshot of a later state. Nothing is done when the newest state is a snapshot already. Stopped at any point it goes on
 * the next time.
 *
 * Throws what `planRestore` throws when nothing leads to the newest state, and what `runMerge` throws.
 */
export async function makeSnapshot(
  replica: Replica,
  writer: ReplicaWriter,
  catalog: Catalog,
  options: MakeSnapshotOptions = {},
): Promise<SnapshotResult> {
  // To have no plan because nothing leads there is an error, to have none because nothing is to be done is not.
  const { txid } = planRestore(catalog, { kind: 'latest' })
  let current = catalog
  for (;;) {
    const merge = planSnapshot(current, options.policy)
    if (!merge) return { txid, catalog: current }
    current = withFiles(current, [await runTimed(replica, writer, merge, options)])
  }
}
