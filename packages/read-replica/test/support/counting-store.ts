import { type BlobStore, withObserver } from '@sqlstream/storage'

/** Counts the calls of a store; `take` gives what came since the last time. */
export class Counted {
  readonly store: BlobStore
  readonly log: { readonly operation: string; readonly key?: string; readonly bytes: number }[] = []

  constructor(inner: BlobStore) {
    this.store = withObserver(inner, ({ operation, key, bytes }) => {
      this.log.push({ operation, bytes, ...(key !== undefined && { key }) })
    })
  }

  take(): { readonly operation: string; readonly key?: string; readonly bytes: number }[] {
    return this.log.splice(0)
  }
}
