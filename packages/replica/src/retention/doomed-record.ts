import { type BlobStore, type ETag, isStorageError } from '@sqlstream/storage'
import { isReplicaError, ReplicaError } from '../errors.ts'
import { DOOMED_KEY } from '../layout.ts'
import type { Lease } from '../lease.ts'
import type { AbortOptions } from '../replica.ts'
import type { Doomed } from './by-grace.ts'
import { readObject, readVersion } from './own-object.ts'

/** A version of the record of unneeded files. */
export interface FoundDoomed {
  readonly doomed: Doomed
  /** Undefined when there is no record. */
  readonly etag: ETag | undefined
}

/** The bytes of the record: files by the time since when they have been unneeded, earliest first. */
export function encodeDoomed(doomed: Doomed): Uint8Array {
  const groups = new Map<string, string[]>()
  for (const [key, since] of doomed) {
    const time = since.toISOString()
    const keys = groups.get(time)
    if (keys) keys.push(key)
    else groups.set(time, [key])
  }
  const entries = [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
  const json = { version: 1, doomed: entries.map(([since, files]) => ({ since, files: files.sort() })) }
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`)
}

/** Reads the record; unknown fields are left for later versions. Throws ReplicaError `corrupt`. */
export function decodeDoomed(bytes: Uint8Array): Doomed {
  const { version, doomed } = readObject(DOOMED_KEY, bytes)
  if (version !== 1) throw wrong('version')
  if (!Array.isArray(doomed)) throw wrong('doomed')
  const found = new Map<string, Date>()
  for (const group of doomed as unknown[]) {
    const { since, files } = (group ?? {}) as { since?: unknown; files?: unknown }
    const time = new Date(typeof since === 'string' ? since : Number.NaN)
    if (Number.isNaN(time.getTime())) throw wrong('since')
    if (!Array.isArray(files)) throw wrong('files')
    for (const key of files as unknown[]) {
      if (typeof key !== 'string') throw wrong('files')
      found.set(key, time)
    }
  }
  return found
}

/**
 * The files that retention has found to be unneeded, and since when: they will go, so readers had better avoid them. A record that is
 * damaged is as good as none: the grace of all files begins anew.
 *
 * @throws the store's errors
 */
export async function readDoomed(store: BlobStore, options: AbortOptions = {}): Promise<FoundDoomed> {
  let etag: ETag
  let bytes: Uint8Array
  try {
    const found = await readVersion(store, DOOMED_KEY, options)
    etag = found.etag
    bytes = found.bytes
  } catch (error) {
    if (isStorageError(error, 'not-found')) return { doomed: new Map(), etag: undefined }
    throw error
  }
  try {
    return { doomed: decodeDoomed(bytes), etag }
  } catch (error) {
    if (!isReplicaError(error, 'corrupt')) throw error
    return { doomed: new Map(), etag }
  }
}

/**
 * Writes the record in the place of the version that was read.
 *
 * @returns its version
 * @throws ReplicaError `fenced` when the lease is lost, or somebody without it has written the record meanwhile; the store's errors
 */
export async function writeDoomed(
  store: BlobStore,
  lease: Lease,
  doomed: Doomed,
  before: ETag | undefined,
  options: AbortOptions = {},
): Promise<ETag> {
  const precondition =
    before === undefined ? ({ kind: 'absent' } as const) : ({ kind: 'match', etag: before } as const)
  const body = encodeDoomed(doomed)
  try {
    const { etag } = await lease.during(
      (signal) =>
        store.put(DOOMED_KEY, body, { signal, ...(store.capabilities.conditionalPut && { precondition }) }),
      options,
    )
    return etag
  } catch (error) {
    if (!isStorageError(error, 'precondition-failed')) throw error
    throw new ReplicaError('fenced', `${DOOMED_KEY} was written by somebody else meanwhile`, {
      cause: error,
      hint: 'Two processes clean up the same replica: stop one of them. Nothing was removed.',
    })
  }
}

function wrong(field: string): ReplicaError {
  return new ReplicaError('corrupt', `${DOOMED_KEY} has no valid ${field}`)
}
