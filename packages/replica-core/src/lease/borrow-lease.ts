import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { assumeSoleWriter, type Lease } from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import { isPrimaryError, PrimaryError } from '../errors.ts'
import { acquireLease, type LeaseWait } from './acquire-lease.ts'
import type { HeldLease } from './held-lease.ts'
import { assertLeases, returnLease } from './obtain-lease.ts'
import type { LeaseRecord } from './record.ts'

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

/** Options of `withTakenLease`. */
export interface TakeOptions extends BorrowOptions {
  /** Milliseconds from 100. Default 30,000. */
  readonly ttlMs?: number | undefined
  /** What to do while a writer holds it. Default `if-silent`: take it over if it shows no life for its time to live. */
  readonly wait?: LeaseWait | undefined
  /** Called when the wait begins, and whenever the holder has renewed its lease meanwhile. */
  readonly onWait?: ((holder: LeaseRecord) => void) | undefined
}

/**
 * Does the work of whoever takes a replica over from its writer, under its lease, and gives that back: the former writer is fenced, and the next one
 * need not wait.
 *
 * @throws PrimaryError `lease-held` by whom, `lease-unsupported`; ReplicaError `corrupt`, `fenced`; the store's errors; those of the work
 */
export async function withTakenLease<T>(
  store: BlobStore,
  work: (lease: Lease) => Promise<T>,
  options: TakeOptions = {},
): Promise<T> {
  const { soleWriter = false, signal, ttlMs, wait, onWait } = options
  const owner = `a new writer on ${hostname()}`
  if (soleWriter) return await work(assumeSoleWriter(owner))
  await assertLeases(store, signal)
  const lease = await acquireLease(store, { place: randomUUID(), owner, ttlMs, wait, onWait, signal })
  try {
    return await work(lease)
  } finally {
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
