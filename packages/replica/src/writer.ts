import type { TXIDRange } from '@sqlstream/ltx'
import {
  type BlobAddress,
  type BlobBody,
  type BlobInfo,
  type BlobStore,
  copyBlob,
  getBytes,
  holdsBody,
  isStorageError,
  type Precondition,
  type PutOptions,
} from '@sqlstream/storage'
import type { Level, LTXFile } from './catalog.ts'
import { isReplicaError, ReplicaError } from './errors.ts'
import { decodeIdentity, encodeIdentity, type Identity } from './identity.ts'
import { IDENTITY_KEY, ltxKey } from './layout.ts'
import type { Lease } from './lease.ts'
import { type AbortOptions, type Replica, signalOf } from './replica.ts'

/** Options of `ReplicaWriter.put`. */
export interface PutFileOptions extends AbortOptions {
  /** Time in the file's header; stores keep it where Litestream looks for it. */
  readonly timestamp: Date
  /** The file holds transactions that no other file has. Default true; false for a merge of files that are there. */
  readonly appends?: boolean | undefined
  /** An object with these very bytes. Where the store can, it copies that, and `body` is opened only when something is in doubt. */
  readonly copyOf?: BlobAddress | undefined
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
      const timestamp = options && { timestamp: options.timestamp }
      const { signal, appends = true, copyOf } = options ?? {}
      const info = await change(lease, { signal, appends }, (signal) =>
        createOnly(store, key, body, { signal, copyOf, ...timestamp }),
      )
      return {
        key,
        level,
        minTXID: range.minTXID,
        maxTXID: range.maxTXID,
        size: info.size,
        modified: info.modified,
        ...timestamp,
      }
    },
    async remove(files, options) {
      const keys = files.map((file) => file.key)
      await change(lease, options, async (signal) => {
        if (keys.length > 0) await store.delete(keys, { signal })
      })
    },
    async createIdentity(identity, options) {
      try {
        const body = encodeIdentity(identity)
        await change(lease, options, (signal) => createOnly(store, IDENTITY_KEY, body, { signal }))
        return identity
      } catch (error) {
        if (!isReplicaError(error, 'fenced') || lease.signal.aborted) throw error
      }
      return decodeIdentity(await getBytes(store, IDENTITY_KEY, signalOf(options ?? {})))
    },
  }
}

/** Work under a lease. Throws `fenced` when it is lost, before or meanwhile. */
async function change<T>(
  lease: Lease,
  options: Parameters<Lease['during']>[1] = {},
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted()
  if (lease.signal.aborted) throw leaseLost(lease)
  try {
    return await lease.during(work, options)
  } catch (error) {
    if (lease.signal.aborted) throw leaseLost(lease, error)
    throw error
  }
}

/** Creates an object, or finds out that it is there already with the same bytes. */
async function createOnly(
  store: BlobStore,
  key: string,
  body: BlobBody,
  { copyOf, ...options }: PutOptions & Pick<PutFileOptions, 'copyOf'> & { readonly signal: AbortSignal },
): Promise<BlobInfo> {
  const { signal } = options
  async function write(precondition?: Precondition): Promise<BlobInfo> {
    const how = { ...options, precondition }
    const copied = copyOf && (await copyBlob(copyOf, { store, key }, how))
    return copied ?? (await store.put(key, body, how))
  }
  try {
    if (store.capabilities.conditionalPut) {
      return await write({ kind: 'absent' })
    }
    // Without conditional put only the promise of a sole writer protects; an object that is there still is never touched.
    if (!(await exists(store, key, signal))) return await write()
  } catch (error) {
    signal.throwIfAborted()
    if (!mayHaveWritten(error)) throw error
    const found = await readBack(store, key, body, signal, error)
    if (found) return found
    throw error
  }
  const found = await readBack(store, key, body, signal)
  if (found) return found
  return await write()
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
  const why = lease.signal.reason instanceof ReplicaError ? `: ${lease.signal.reason.message}` : ''
  return new ReplicaError('fenced', `${lease.owner} has lost the lease of epoch ${lease.epoch}${why}`, {
    cause,
  })
}
