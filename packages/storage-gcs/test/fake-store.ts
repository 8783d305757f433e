import { GCSClient } from '../src/gcs-client.ts'
import { GCSStore } from '../src/gcs-store.ts'

export interface StoreOptions {
  /** Default: `bucket`. */
  readonly bucket?: string
  /** Sent as a credential, if given. */
  readonly token?: string
  /** Default 10 s. */
  readonly limitMs?: number
}

/** A store on a server that repeats requests without a pause. */
export function openStore(endpoint: string, options: StoreOptions = {}): GCSStore {
  const { bucket = 'bucket', token, limitMs = 10_000 } = options
  const place = { bucket, prefix: '', endpoint, anonymous: token === undefined }
  const headers: [string, string][] = token === undefined ? [] : [['authorization', `Bearer ${token}`]]
  return new GCSStore(new GCSClient(place, async () => headers, limitMs), { pause: async () => {} })
}
