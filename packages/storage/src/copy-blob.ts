import type { BlobInfo, BlobStore, CopyOptions } from './blob-store.ts'

/** An object of any store, as callers know it. */
export interface BlobAddress {
  readonly store: BlobStore
  readonly key: string
}

/**
 * Lets the service copy an object, whatever wraps the two stores. Undefined: it cannot, and nothing has happened; read the object
 * and put it then.
 * @throws StorageError as `BlobStore.copy`
 */
export async function copyBlob(
  from: BlobAddress,
  to: BlobAddress,
  options: CopyOptions = {},
): Promise<BlobInfo | undefined> {
  const source = to.store.copy === undefined ? undefined : from.store.copySource?.(from.key)
  return source === undefined ? undefined : to.store.copy?.(source, to.key, options)
}
