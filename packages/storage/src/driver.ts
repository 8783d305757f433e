import type { AbortOptions, BlobStore } from './blob-store.ts'

/** How a driver package plugs into configuration by URL. */
export interface StorageDriver {
  /** The same word as `BlobStore.driver`. */
  readonly name: string
  /** URL schemes without the colon, lower case. */
  readonly schemes: readonly string[]
  /**
   * Opens the store that the URL names; the path of the URL is a prefix inside it where the service has
   * buckets. Must reject with 'invalid-config' for what it does not understand, unknown query
   * parameters included, and must not show credentials in any message.
   */
  open(url: URL, options?: AbortOptions): Promise<BlobStore>
}
