import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { assumeSoleWriter, type Lease } from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import { isPrimaryError, PrimaryError } from '../errors.ts'
import { acquireLease } from './acquire-lease.ts'
import type { HeldLease } from './held-lease.ts'
import { assertLeases, returnLease } from './obtain-lease.ts'

/** Options of `withBorrowedLease`. */
export interface BorrowOptions {
  /** As in `LeaseOptions`. Default false. */
  readonly soleWriter?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Does an operator's work under the lease of a replica that nobody writes at present, and gives it back. A lease that is held is refused
 * at once, also when its time is over: its writer may rest, and would be fenced at its next transaction if the lease were taken.
 *
 * @throws PrimaryError `lease-held` by whom, `lease-unsupported`; ReplicaError `corrupt`, `fenced`; the store's errors; those of the work
 */
export async function withBorrowedLease<T>(
  store: BlobStore,
  work: (lease: Lease) => Promise<T>,
  options: BorrowOptions = {},
): Promise<T> {
  const { soleWriter = false, signal } = options
  const owner = `an operator on ${hostname()}`
  if (soleWriter) return await work(assumeSoleWriter(owner))
  await assertLeases(store, signal)
  const lease = await acquireFree(store, owner, signal)
  try {
    return await work(lease)
  } finally {
    // Also after an abort: the next writer would have to wait.
    await returnLease(lease)
  }
}

async function acquireFree(
  store: BlobStore,
  owner: string,
  signal: AbortSignal | undefined,
): Promise<HeldLease> {
  try {
    return await acquireLease(store, { place: randomUUID(), owner, wait: 'no', signal })
  } catch (error) {
    if (!isPrimaryError(error, 'lease-held')) throw error
    throw new PrimaryError('lease-held', error.message, {
      cause: error,
      hint: 'Stop that writer first; if it is dead, free its lease with `sqlstream lease release`.',
    })
  }
}
