import type { TXIDRange } from '@sqlstream/ltx'
import { isReplicaError, type Lease, type Level, ltxKey, type Replica } from '@sqlstream/replica'
import { HeldLease } from './held-lease.ts'

/**
 * Whose file lies where ours was to go. `late`: a former holder's, which it sent before it found out that it had lost the lease;
 * we hold it, so we go on elsewhere. `foreign`: of a writer that knows of no lease, or of the one who has it now.
 *
 * @throws the store's errors: nobody can tell
 */
export async function judgeCollision(
  replica: Replica,
  lease: Lease,
  level: Level,
  range: TXIDRange,
  signal?: AbortSignal,
): Promise<'late' | 'foreign'> {
  if (!(lease instanceof HeldLease)) return 'foreign'
  const options = signal && { signal }
  try {
    await lease.renew(options)
    const key = ltxKey(replica.layout, level, range)
    const { size, modified } = await replica.store.head(key, options)
    const { nodeId } = await replica.header({ ...range, key, level, size, modified }, options)
    return nodeId > 0n && nodeId < lease.epoch ? 'late' : 'foreign'
  } catch (error) {
    if (isReplicaError(error)) return 'foreign'
    throw error
  }
}
