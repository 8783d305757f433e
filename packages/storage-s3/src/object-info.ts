import { type BlobInfo, type ETag, rfc3339 } from '@sqlstream/storage'
import type { S3Encryption } from './options.ts'
import type { S3Settings } from './settings.ts'

/** Metadata of an object, besides what Litestream keeps there: which put wrote it. */
export const PUT_ID = 'sqlstream-put'
/** Where Litestream looks for the time that an LTX file is from. */
const TIMESTAMP = 'litestream-timestamp'

/** ETags come with quotes or without, by service and by call; they are compared and sent without. */
export function etagOf(raw: string | undefined): ETag {
  return (raw ?? '').replaceAll('"', '') as ETag
}

/** What a HEAD or GET says of the whole object. */
export function infoOf(
  key: string,
  size: number,
  answer: { readonly ETag?: string | undefined; readonly LastModified?: Date | undefined },
): BlobInfo {
  return { key, size, etag: etagOf(answer.ETag), modified: answer.LastModified ?? new Date(0) }
}

/** What every object that we make is to have. */
export function newObjectFields(
  settings: S3Settings,
  options: { readonly timestamp?: Date | undefined; readonly putId?: string | undefined },
): {
  ContentType: string
  Metadata?: Record<string, string>
  StorageClass?: 'STANDARD'
  ServerSideEncryption?: 'aws:kms'
  SSEKMSKeyId?: string
} {
  const { timestamp, putId } = options
  const { storageClass, encryption } = settings
  const metadata = {
    ...(timestamp === undefined ? {} : { [TIMESTAMP]: rfc3339(timestamp) }),
    ...(putId === undefined ? {} : { [PUT_ID]: putId }),
  }
  return {
    ContentType: 'application/octet-stream',
    ...(Object.keys(metadata).length === 0 ? {} : { Metadata: metadata }),
    // The names of classes differ by service, and new ones come.
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as 'STANDARD' }),
    ...(encryption?.kind === 'kms' ? { ServerSideEncryption: 'aws:kms' as const } : {}),
    ...(encryption?.kind === 'kms' && encryption.keyId !== undefined
      ? { SSEKMSKeyId: encryption.keyId }
      : {}),
  }
}

/** Goes with every request for the bytes of an object, when they are encrypted with a key of ours. */
export function customerKeyFields(encryption: S3Encryption | undefined): {
  SSECustomerAlgorithm?: string
  SSECustomerKey?: string
} {
  if (encryption?.kind !== 'customer') return {}
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: encryption.key }
}
