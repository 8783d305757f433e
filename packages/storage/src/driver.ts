import type { AbortOptions, BlobStore } from './blob-store.ts'

/** What a driver gets beside the URL. */
export interface OpenOptions extends AbortOptions {
  /**
   * Variables in which the driver looks for what the URL does not say, credentials above all; each database may bring its own.
   * Default: `process.env`.
   */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

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
  open(url: URL, options?: OpenOptions): Promise<BlobStore>
}
