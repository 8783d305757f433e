/** Where the store is, and how it is used. */
export interface WebDAVStoreOptions {
  /** `http:` or `https:` address of the folder, without credentials. */
  readonly url: string
  readonly user?: string | undefined
  readonly password?: string | undefined
  /**
   * What to think of preconditions. `auto`: they are tried on servers that are known to keep them atomically (lighttpd), others have
   * none. `probe`: they are tried, with writers that race, on every server but Apache, whose races show too rarely. `never`:
   * nothing is written to find out. Default: `auto`.
   */
  readonly conditionalPut?: 'auto' | 'probe' | 'never' | undefined
  /**
   * Make the folder with the first put; until then the store is empty. With false, a missing folder is 'not-found' for every
   * call. Default: true.
   */
  readonly createRoot?: boolean | undefined
  /** Milliseconds without any progress after which a request fails. Default: 30,000. */
  readonly requestLimitMs?: number | undefined
}
