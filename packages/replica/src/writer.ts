import type { TXIDRange } from '@sqlstream/ltx'
import {
  type BlobBody,
  type BlobInfo,
  type BlobStore,
  getBytes,
  holdsBody,
  isStorageError,
  type PutOptions,
} from '@sqlstream/storage'
import type { Level, LTXFile } from './catalog.ts'
import { isReplicaError, ReplicaError } from './errors.ts'
import { decodeIdentity, encodeIdentity, type Identity } from './identity.ts'
import { IDENTITY_KEY, ltxKey } from './layout.ts'
import type { Lease } from './lease.ts'
import type { AbortOptions, Replica } from './replica.ts'

/** Options of `ReplicaWriter.put`. */
export interface PutFileOptions extends AbortOptions {
  /** Time in the file's header; stores keep it where Litestream looks for it. */
  readonly timestamp: Date
}

/** Changes a replica, under a lease. Nothing is ever overwritten. */
export interface ReplicaWriter {
  readonly lease: Lease
  /**
   * Uploads one file under the name of its range. When the object exists, or the outcome is in doubt, it is read back:
   * equal bytes are success, others throw ReplicaError `fenced`. A failure that left no object throws the store's error
   * and may be repeated.
   */
  put(level: Level, range: TXIDRange, body: BlobBody, options?: PutFileOptions): Promise<LTXFile>
  /** Removes files; those that are gone already are no error. */
  remove(files: readonly LTXFile[], options?: AbortOptions): Promise<void>
  /** Claims the replica for a database. Returns the identity that is there: another one's, if it came first. */
  createIdentity(identity: Identity, options?: AbortOptions): Promise<Identity>
}

/** See `Replica.writer`. */
export function createWriter(replica: Replica, lease: Lease): ReplicaWriter {
  const { store, layout } = replica
  return {
    lease,
    async put(level, range, body, options) {
      const key = ltxKey(layout, level, range)
      const signal = underLease(lease, options)
      const putOptions = { signal, ...(options && { timestamp: options.timestamp }) }
      const info = await createOnly(store, key, body, putOptions, lease)
      return {
        key,
        level,
        minTXID: range.minTXID,
        maxTXID: range.maxTXID,
        size: info.size,
        modified: info.modified,
        ...(options && { timestamp: options.timestamp }),
      }
    },
    async remove(files, options) {
      const signal = underLease(lease, options)
      if (files.length > 0)
        await store.delete(
          files.map((file) => file.key),
          { signal },
        )
    },
    async createIdentity(identity, options) {
      const signal = underLease(lease, options)
      try {
        await createOnly(store, IDENTITY_KEY, encodeIdentity(identity), { signal }, lease)
        return identity
      } catch (error) {
        if (!isReplicaError(error, 'fenced') || lease.signal.aborted) throw error
      }
      return decodeIdentity(await getBytes(store, IDENTITY_KEY, { signal }))
    },
  }
}

/** One signal for the caller's wish to stop and for the loss of the lease. Throws `fenced` when it is lost already. */
function underLease(lease: Lease, options: AbortOptions = {}): AbortSignal {
  options.signal?.throwIfAborted()
  if (lease.signal.aborted) throw leaseLost(lease)
  return options.signal ? AbortSignal.any([options.signal, lease.signal]) : lease.signal
}

/** Creates an object, or finds out that it is there already with the same bytes. */
async function createOnly(
  store: BlobStore,
  key: string,
  body: BlobBody,
  options: PutOptions & { readonly signal: AbortSignal },
  lease: Lease,
): Promise<BlobInfo> {
  const { signal } = options
  try {
    if (store.capabilities.conditionalPut) {
      return await store.put(key, body, { ...options, precondition: { kind: 'absent' } })
    }
    // Without conditional put only the promise of a sole writer protects; an object that is there still is never touched.
    if (!(await exists(store, key, signal))) return await store.put(key, body, options)
  } catch (error) {
    if (lease.signal.aborted) throw leaseLost(lease, error)
    signal.throwIfAborted()
    if (!mayHaveWritten(error)) throw error
    const found = await readBack(store, key, body, signal, error)
    if (found) return found
    throw error
  }
  const found = await readBack(store, key, body, signal)
  if (found) return found
  return await store.put(key, body, options)
}

/** Failures after which the object may be there: it existed before, or the answer was lost. */
function mayHaveWritten(error: unknown): boolean {
  if (!isStorageError(error)) return false
  return error.code === 'precondition-failed' || error.code === 'unknown' || error.transient
}

/** The object's info when it holds these bytes, undefined when there is none. Throws `fenced` for other bytes. */
async function readBack(
  store: BlobStore,
  key: string,
  body: BlobBody,
  signal: AbortSignal,
  cause?: unknown,
): Promise<BlobInfo | undefined> {
  let content: Awaited<ReturnType<BlobStore['get']>>
  try {
    content = await store.get(key, { signal })
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    // With rights to write only, nothing can be read back: the first failure may still pass.
    throw isStorageError(cause) && cause.transient && !signal.aborted ? cause : error
  }
  if (await holdsBody(content, body)) return content.info
  throw new ReplicaError('fenced', `${key} exists with other content: another writer has been here`, {
    cause,
    hint: 'Find the other writer and stop one of the two; nothing was overwritten.',
  })
}

async function exists(store: BlobStore, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    await store.head(key, { signal })
    return true
  } catch (error) {
    if (isStorageError(error, 'not-found')) return false
    throw error
  }
}

function leaseLost(lease: Lease, cause: unknown = lease.signal.reason): ReplicaError {
  return new ReplicaError('fenced', `${lease.owner} has lost the lease of epoch ${lease.epoch}`, { cause })
}
