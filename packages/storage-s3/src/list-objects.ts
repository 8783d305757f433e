import { type BlobInfo, isKey, type ListOptions } from '@sqlstream/storage'
import type { S3Connection } from './connection.ts'
import { type CallContext, failure } from './errors.ts'
import { etagOf } from './object-info.ts'

const CONTEXT: CallContext = { operation: 'list' }

/** Pages of 1,000, each one request. */
export async function* listObjects(
  connection: S3Connection,
  options: ListOptions,
): AsyncGenerator<BlobInfo, void> {
  const { prefix, startAfter = '', signal } = options
  let last = startAfter
  let token: string | undefined
  do {
    const from = token === undefined ? { StartAfter: startAfter || undefined } : { ContinuationToken: token }
    const page = await connection.retried({ context: CONTEXT, signal }, (client, sdk, http) => {
      const where = { Bucket: connection.settings.bucket, Prefix: prefix || undefined, ...from }
      // Names of others may have characters that no XML can hold.
      return client.send(new sdk.ListObjectsV2Command({ ...where, EncodingType: 'url' }), http)
    })
    for (const { Key = '', ETag, Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
      const key = page.EncodingType === 'url' ? decodeKey(Key) : Key
      // Some services take no notice of start-after.
      if (!isKey(key) || key <= startAfter) continue
      if (key <= last)
        throw failure(CONTEXT, 'unsupported', `the listing is not in byte order: ${key} after ${last}`)
      last = key
      signal?.throwIfAborted()
      yield { key, size: Size, etag: etagOf(ETag), modified: LastModified }
    }
    const next = page.IsTruncated === true ? page.NextContinuationToken : undefined
    if (next !== undefined && next === token)
      throw failure(CONTEXT, 'unsupported', 'the listing does not go on: a page leads to itself')
    token = next
  } while (token !== undefined)
}

/** Undecodable ones are of others; they are no legal keys either way. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
