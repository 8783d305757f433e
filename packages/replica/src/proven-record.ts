import {
  type Checksum,
  formatChecksum,
  formatTXID,
  parseChecksum,
  parseTXID,
  type TXID,
} from '@sqlstream/ltx'
import { type BlobStore, isStorageError } from '@sqlstream/storage'
import { isReplicaError, ReplicaError } from './errors.ts'
import { PROOF_KEY } from './layout.ts'
import type { AbortOptions } from './replica.ts'
import { readObject, readVersion } from './retention/own-object.ts'

/** The last state that was restored as a drill, and proven. */
export interface ProvenRestore {
  readonly txid: TXID
  /** Of all pages of that state. */
  readonly postApplyChecksum: Checksum
  /** Time of that state. */
  readonly timestamp: Date
  readonly provenAt: Date
  /** For people: who has restored it. */
  readonly by: string
}

/** The bytes of the record. */
export function encodeProof(proof: ProvenRestore): Uint8Array {
  const json = {
    version: 1,
    txid: formatTXID(proof.txid),
    postApplyChecksum: formatChecksum(proof.postApplyChecksum),
    timestamp: proof.timestamp.toISOString(),
    provenAt: proof.provenAt.toISOString(),
    by: proof.by,
  }
  return new TextEncoder().encode(`${JSON.stringify(json)}\n`)
}

/** Reads the record; unknown fields are left for later versions. Throws ReplicaError `corrupt`. */
export function decodeProof(bytes: Uint8Array): ProvenRestore {
  const fields = readObject(PROOF_KEY, bytes)
  if (fields['version'] !== 1) throw wrong('version')
  if (typeof fields['by'] !== 'string') throw wrong('by')
  return {
    txid: parsed(fields, 'txid', parseTXID),
    postApplyChecksum: parsed(fields, 'postApplyChecksum', parseChecksum),
    timestamp: parsed(fields, 'timestamp', parseTime),
    provenAt: parsed(fields, 'provenAt', parseTime),
    by: fields['by'],
  }
}

/**
 * What was proven last; undefined when nothing ever was. A record that is damaged is as good as none: it promises nothing to a restore.
 *
 * @throws the store's errors
 */
export async function readProof(
  store: BlobStore,
  options: AbortOptions = {},
): Promise<ProvenRestore | undefined> {
  try {
    return decodeProof((await readVersion(store, PROOF_KEY, options)).bytes)
  } catch (error) {
    if (isStorageError(error, 'not-found') || isReplicaError(error, 'corrupt')) return undefined
    throw error
  }
}

/**
 * Records what was proven. Needs no lease: it replaces the record of an earlier drill, whoever made that.
 *
 * @throws the store's errors
 */
export async function writeProof(
  store: BlobStore,
  proof: ProvenRestore,
  options: AbortOptions = {},
): Promise<void> {
  await store.put(PROOF_KEY, encodeProof(proof), { ...(options.signal && { signal: options.signal }) })
}

function parsed<T>(fields: Readonly<Record<string, unknown>>, name: string, parse: (text: string) => T): T {
  const value = fields[name]
  if (typeof value !== 'string') throw wrong(name)
  try {
    return parse(value)
  } catch (error) {
    throw wrong(name, error)
  }
}

function parseTime(text: string): Date {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new RangeError('no time')
  return time
}

function wrong(field: string, cause?: unknown): ReplicaError {
  return new ReplicaError('corrupt', `${PROOF_KEY} has no valid ${field}`, { cause })
}
