import { type BlobInfo, type ETag, StorageError } from '@sqlstream/storage'
import { type CallContext, DRIVER } from './service-errors.ts'

/** What the service says of a blob, in headers or in a listing. */
export interface BlobProperties {
  readonly contentLength?: number | undefined
  /** In quotes from headers, without from listings. */
  readonly etag?: string | undefined
  readonly lastModified?: Date | undefined
}

/**
 * @throws StorageError 'unavailable' when the answer lacks what every answer of the service has: then it was somebody else's, of a
 * proxy for instance
 */
export function infoOf(
  { operation, key }: CallContext & { readonly key: string },
  { contentLength, etag, lastModified }: BlobProperties,
): BlobInfo {
  if (contentLength === undefined || etag === undefined || lastModified === undefined) {
    const message = `${operation} ${key}: the answer has no size, ETag or time`
    throw new StorageError(message, { code: 'unavailable', driver: DRIVER, operation, key })
  }
  return { key, size: contentLength, etag: etag.replaceAll('"', '') as ETag, modified: lastModified }
}
