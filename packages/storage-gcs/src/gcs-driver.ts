import {
  type BlobStore,
  type OpenOptions,
  type RetryOptions,
  type StorageDriver,
  withinTime,
  withPrefix,
} from '@sqlstream/storage'
import { type Authorize, GCSClient } from './gcs-client.ts'
import { DRIVER, noCredentials } from './gcs-errors.ts'
import { type GCSPlace, gcsPlace } from './gcs-options.ts'
import { GCSStore } from './gcs-store.ts'

const CREDENTIALS_FILE = 'GOOGLE_APPLICATION_CREDENTIALS'
/** Default of `limitMs`. */
const LIMIT_MS = 30_000

export interface GCSOpenOptions extends OpenOptions {
  /**
   * How long the service may leave a request without an answer, take no more of an upload, or send no more of a body; in
   * milliseconds from 1. Default: 30,000.
   */
  readonly limitMs?: number | undefined
  /** How often and how soon requests are repeated. Default: four tries, as `RetryOptions` says. */
  readonly retry?: Omit<RetryOptions, 'signal'> | undefined
}

/** `gs://bucket/prefix` with `?endpoint=…&project=…`, and application default credentials. */
export const gcsDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['gs'],
  async open(url: URL, options: OpenOptions = {}): Promise<BlobStore> {
    options.signal?.throwIfAborted()
    const place = gcsPlace(url, options.environment ?? process.env)
    const store = await openGCSStore(place, options)
    return place.prefix === '' ? store : withPrefix(store, place.prefix)
  },
}

/**
 * Loads Google's SDK and finds credentials; nothing is sent to the service. The prefix of the place is left to `withPrefix`.
 * @throws StorageError 'permission-denied' when there are no credentials
 */
export async function openGCSStore(place: GCSPlace, options: GCSOpenOptions = {}): Promise<GCSStore> {
  const { limitMs = LIMIT_MS, retry = {}, environment = process.env, signal } = options
  const fields = { driver: DRIVER, operation: 'open' } as const
  const authorize = await withinTime({ limitMs, signal, fields }, () => findCredentials(place, environment))
  return new GCSStore(new GCSClient(place, authorize, limitMs), retry)
}

/** Of the SDK only its credentials are used: its requests are repeated behind our back, cannot be aborted, and delete on doubt. */
async function findCredentials(
  { anonymous }: GCSPlace,
  environment: NonNullable<OpenOptions['environment']>,
): Promise<Authorize> {
  if (anonymous) return async () => []
  const { Storage } = await import('@google-cloud/storage')
  const keyFilename = environment[CREDENTIALS_FILE]
  // The SDK knows the environment of the process alone; told of a file, it warns on the console.
  const isOwn = keyFilename !== undefined && keyFilename !== process.env[CREDENTIALS_FILE]
  const { authClient } = new Storage(isOwn ? { keyFilename } : {})
  try {
    await authClient.getClient()
  } catch (error) {
    throw noCredentials(error)
  }
  return (url) => authClient.getRequestHeaders(url)
}
