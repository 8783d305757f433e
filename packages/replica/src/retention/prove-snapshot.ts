import { isLTXError, lockPgno, type PageIndex, readPageIndex } from '@sqlstream/ltx'
import { isStorageError } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { isReplicaError, ReplicaError } from '../errors.ts'
import { type AbortOptions, type Replica, signalOf } from '../replica.ts'

const HINT =
  'Nothing was removed: older snapshots may be the only good ones. A new snapshot ends this; `sqlstream verify` tells more.'

/**
 * Proves by a head and two or three ranged reads that a snapshot is there, as long as it was listed, of its name's TXIDs, and that it has every page
 * of the database. The pages themselves are not read: `verify` at depth `bytes` does that.
 *
 * Throws ReplicaError `corrupt`, and the store's errors.
 */
export async function proveSnapshot(
  replica: Replica,
  file: LTXFile,
  options: AbortOptions = {},
): Promise<void> {
  const problem = await findProblem(replica, file, options)
  if (problem === undefined) return
  const { what, cause } = problem
  throw new ReplicaError('corrupt', `the snapshot ${file.key}, which would be relied on, ${what}`, {
    cause,
    file,
    hint: HINT,
  })
}

interface Problem {
  readonly what: string
  readonly cause?: unknown
}

async function findProblem(
  replica: Replica,
  file: LTXFile,
  options: AbortOptions,
): Promise<Problem | undefined> {
  try {
    const { size } = await replica.store.head(file.key, signalOf(options))
    if (size !== file.size) return { what: `has ${size} bytes, not ${file.size} as listed` }
    const { commit, pageSize } = await replica.header(file, options)
    const index = await readPageIndex(replica.randomAccess(file), options)
    if (isComplete(index, commit, lockPgno(pageSize))) return undefined
    return { what: `has ${index.count} pages of a database of ${commit}` }
  } catch (cause) {
    if (isStorageError(cause, 'not-found')) return { what: 'was listed and is not there', cause }
    if (!isReplicaError(cause, 'corrupt') && !isLTXError(cause)) throw cause
    return { what: `is damaged: ${cause.message}`, cause }
  }
}

/** The pages 1 to `commit`, without the lock page. The index is ascending. */
function isComplete(index: PageIndex, commit: number, lock: number): boolean {
  const pages = commit >= lock ? commit - 1 : commit
  if (index.count !== pages || index.find(lock)) return false
  return pages === 0 || index.at(pages - 1).pgno <= commit
}
