import { GCSClient } from '../src/gcs-client.ts'
import { GCSStore } from '../src/gcs-store.ts'

export interface StoreOptions {
  /** Default: `bucket`. */
  readonly bucket?: string
  /** Sent as a credential, if given. */
  readonly token?: string
  /** Default 10 s. */
  readonly limitMs?: number
  /** Default 8 MiB. */
  readonly partSize?: number
  /** Happens before a request is repeated. Default: nothing. */
  readonly pause?: () => Promise<void>
}

/** A store on a server, that repeats requests at once. */
export function openStore(endpoint: string, options: StoreOptions = {}): GCSStore {
  const { bucket = 'bucket', token, limitMs = 10_000, partSize, pause = async () => {} } = options
  const place = { bucket, prefix: '', endpoint, anonymous: token === undefined }
  const headers: [string, string][] = token === undefined ? [] : [['authorization', `Bearer ${token}`]]
  return new GCSStore(new GCSClient(place, async () => headers, limitMs), { pause }, partSize)
}
