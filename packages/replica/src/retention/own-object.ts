import { type BlobStore, collectBody, type ETag } from '@sqlstream/storage'
import { ReplicaError } from '../errors.ts'
import { type AbortOptions, signalOf } from '../replica.ts'

/** The fields of an object of ours. Throws ReplicaError `corrupt` when it is no JSON object. */
export function readObject(key: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ReplicaError('corrupt', `${key} is not JSON`, { cause: error })
  }
  if (typeof value !== 'object' || value === null) {
    throw new ReplicaError('corrupt', `${key} is not a JSON object`)
  }
  return value as Readonly<Record<string, unknown>>
}

/** An object's bytes and the version that they are of: a second request might tell another one's. */
export async function readVersion(
  store: BlobStore,
  key: string,
  options: AbortOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly etag: ETag }> {
  const { info, body } = await store.get(key, signalOf(options))
  return { bytes: await collectBody({ size: info.size, open: () => body }), etag: info.etag }
}
