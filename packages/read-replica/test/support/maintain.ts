import {
  type Catalog,
  compact,
  createRetentionPolicy,
  filesOf,
  headOf,
  isReplicaError,
  type LTXFile,
  makeSnapshot,
  planRestore,
  type Replica,
  readDoomed,
  retain,
  runMerge,
  withoutRemains,
} from '@sqlstream/replica'
import { type History, LEASE, timeOf } from './history.ts'

/** Merges what is due: a transaction is a second. */
export async function compactNow({ replica, txid }: History): Promise<void> {
  await compact(replica, replica.writer(LEASE), await replica.catalog(), {
    policy: { levels: { every: [3000, 12_000] }, snapshots: { growth: 1e9, maxAge: 20_000 } },
    now: () => timeOf(txid),
  })
}

/** Makes a snapshot of the newest state. */
export async function snapshotNow({ replica }: History): Promise<void> {
  await makeSnapshot(replica, replica.writer(LEASE), await replica.catalog())
}

/** Merges the captures of these transactions, or other files, into one of a level. */
export async function mergeNow(
  { replica }: History,
  level: number,
  min: number,
  max: number,
  files?: readonly LTXFile[],
): Promise<void> {
  const captures = filesOf(await replica.catalog()).filter(
    ({ level, minTXID, maxTXID }) => level === 0 && minTXID >= min && maxTXID <= max,
  )
  await runMerge(replica, replica.writer(LEASE), { level, inputs: files ?? captures })
}

/** Removes captures that are older than this, and merges that nothing promises any more. */
export async function retainNow({ replica, txid }: History, captureMs: number): Promise<number> {
  const policy = createRetentionPolicy({
    keep: [
      { every: 'capture', for: captureMs },
      { every: 12_000, for: 60_000 },
    ],
    grace: 1000,
    minSnapshots: 1,
  })
  const { removed } = await retain(replica, LEASE, policy, { now: new Date(timeOf(txid)) })
  return removed.length
}

/** Removes these files, whatever needs them. */
export async function removeFiles({ store }: History, files: readonly LTXFile[]): Promise<void> {
  await store.delete(files.map(({ key }) => key))
}

/** A file without which the newest state can still be restored. */
export async function dispensableFiles({ replica }: History): Promise<LTXFile[]> {
  const catalog = await lookAt(replica)
  const head = headOf(catalog)
  return filesOf(catalog).filter((file) => {
    const levels = new Map(
      [...catalog.levels].map(([level, files]) => [level, files.filter((f) => f !== file)]),
    )
    return isHeadOf({ levels }, head)
  })
}

/** The files, without what a removal has cut off. */
export async function lookAt(replica: Replica): Promise<Catalog> {
  const { doomed } = await readDoomed(replica.store)
  return withoutRemains(await replica.catalog(), new Set(doomed.keys()))
}

function isHeadOf(catalog: Catalog, head: bigint | undefined): boolean {
  try {
    return planRestore(catalog, { kind: 'latest' }).txid === head
  } catch (error) {
    if (isReplicaError(error)) return false
    throw error
  }
}
