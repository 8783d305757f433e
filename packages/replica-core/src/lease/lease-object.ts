import { LEASE_KEY } from '@sqlstream/replica'
import { type BlobStore, collectBody, type ETag, isStorageError, putDecisively } from '@sqlstream/storage'
import { decodeLease, encodeLease, type LeaseRecord } from './record.ts'

/** A version of the lease object. */
export interface FoundLease {
  readonly record: LeaseRecord
  readonly etag: ETag
}

/**
 * What the lease object says; undefined when there is none.
 * @throws ReplicaError `corrupt`, the store's errors
 */
export async function readLease(
  store: BlobStore,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<FoundLease | undefined> {
  try {
    // The version that was read, not one that a second request would tell.
    const { info, body } = await store.get(LEASE_KEY, options)
    const bytes = await collectBody({ size: info.size, open: () => body })
    return { record: decodeLease(bytes), etag: info.etag }
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Writes a record in the place of the version that was read, or as the first one.
 *
 * @returns its version, or undefined when somebody else wrote meanwhile
 * @throws the store's errors: nobody can tell then what became of it
 */
export async function swapLease(
  store: BlobStore,
  record: LeaseRecord,
  before: ETag | undefined,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ETag | undefined> {
  const body = encodeLease(record)
  const precondition =
    before === undefined ? ({ kind: 'absent' } as const) : ({ kind: 'match', etag: before } as const)
  try {
    const put = {
      body,
      send: () => store.put(LEASE_KEY, body, { ...options, precondition }),
      read: () => store.get(LEASE_KEY, options),
    }
    return (await putDecisively(put, { ...options, attempts: 2 })).etag
  } catch (error) {
    if (isStorageError(error, 'precondition-failed')) return undefined
    throw error
  }
}
