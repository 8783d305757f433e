import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Epoch, isReplicaError, LEASE_KEY } from '@sqlstream/replica'
import { type BlobStore, type ETag, isStorageError } from '@sqlstream/storage'
import { acquireLease, DEFAULT_TTL_MS } from './acquire-lease.ts'
import type { LeaseClock } from './clock.ts'
import { readLease, swapLease } from './lease-object.ts'
import type { LeaseRecord } from './record.ts'

interface OperateOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Who holds the lease of a replica; undefined when nobody ever did.
 * @throws ReplicaError `corrupt`, the store's errors
 */
export async function showLease(
  store: BlobStore,
  options: OperateOptions = {},
): Promise<LeaseRecord | undefined> {
  return (await readLease(store, options))?.record
}

/**
 * Ends a lease whose holder is dead: watches it for its time to live, then releases it.
 * @returns what is there afterwards; undefined when there was no lease
 * @throws PrimaryError `lease-held` when the holder shows life
 */
export async function releaseLease(
  store: BlobStore,
  options: OperateOptions & {
    readonly onWait?: (holder: LeaseRecord) => void
    readonly clock?: LeaseClock
  } = {},
): Promise<LeaseRecord | undefined> {
  const found = await readLease(store, options)
  if (found === undefined || found.record.state === 'released') return found?.record
  const lease = await acquireLease(store, { ...options, place: randomUUID(), owner: operator() })
  await lease.release(options)
  return lease.record
}

/**
 * Takes the lease from its holder at once and leaves it released. Only for a holder that is dead: one that lives goes on until it
 * renews, for five sixths of its time to live at most, and what it writes meanwhile is restorable by its TXID alone when another
 * writer has begun. Replaces a lease object that cannot be read.
 * @returns what is there afterwards
 */
export async function stealLease(store: BlobStore, options: OperateOptions = {}): Promise<LeaseRecord> {
  for (;;) {
    const { etag, record: before } = await readAnyLease(store, options)
    const now = new Date()
    const record: LeaseRecord = {
      // Of one that cannot be read nobody knows the epoch: the time is above any count.
      epoch: (etag !== undefined && before === undefined
        ? BigInt(now.getTime())
        : (before?.epoch ?? 0n) + 1n) as Epoch,
      state: 'released',
      // The holder may be alive.
      inFlight: true,
      ...(before?.base !== undefined && { base: before.base }),
      owner: operator(),
      holder: randomUUID(),
      place: '',
      renewal: 0,
      ttlMs: before?.ttlMs ?? DEFAULT_TTL_MS,
      since: now.toISOString(),
      expires: now.toISOString(),
    }
    if ((await swapLease(store, record, etag, options)) !== undefined) return record
  }
}

/** The lease object, whether or not it can be read. */
async function readAnyLease(
  store: BlobStore,
  options: OperateOptions,
): Promise<{ readonly etag?: ETag; readonly record?: LeaseRecord }> {
  const { etag } = await store.head(LEASE_KEY, options).catch((error: unknown) => {
    if (isStorageError(error, 'not-found')) return { etag: undefined }
    throw error
  })
  if (etag === undefined) return {}
  try {
    return (await readLease(store, options)) ?? {}
  } catch (error) {
    if (!isReplicaError(error, 'corrupt')) throw error
    return { etag }
  }
}

function operator(): string {
  return `sqlstream lease on ${hostname()}`
}
