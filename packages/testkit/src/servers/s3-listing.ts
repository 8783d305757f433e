import type { S3Bucket } from './s3-bucket.ts'
import { document, element } from './s3-xml.ts'

/** One page of ListObjectsV2: byte order, prefix, delimiter, start-after, continuation, at most 1,000 keys. */
export function listObjects(name: string, bucket: S3Bucket, query: URLSearchParams, stale: boolean): string {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const token = query.get('continuation-token')
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString()
  const max = Math.min(1000, Number(query.get('max-keys') ?? 1000))
  const isEncoded = query.get('encoding-type') === 'url'
  const show = (key: string): string => (isEncoded ? encodeURIComponent(key).replaceAll('%2F', '/') : key)
  const entries: string[] = []
  let last = after
  let truncated = false
  for (const key of bucket.keys(stale)) {
    if (!key.startsWith(prefix) || Buffer.compare(Buffer.from(key), Buffer.from(last)) <= 0) continue
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const folder = cut === -1 ? undefined : key.slice(0, cut + delimiter.length)
    if (folder !== undefined && last.startsWith(folder)) continue
    if (entries.length === max) {
      truncated = true
      break
    }
    // A folder is passed as a whole: the next page must not begin inside of it.
    last = folder ?? key
    entries.push(folder === undefined ? contents(bucket, key, show(key)) : commonPrefix(show(folder)))
  }
  return document('ListBucketResult', [
    element('Name', name),
    element('Prefix', show(prefix)),
    element('KeyCount', entries.length),
    element('MaxKeys', max),
    element('IsTruncated', truncated),
    ...(isEncoded ? [element('EncodingType', 'url')] : []),
    ...(truncated ? [element('NextContinuationToken', Buffer.from(last).toString('base64url'))] : []),
    ...entries,
  ])
}

function contents(bucket: S3Bucket, key: string, shown: string): string {
  const object = bucket.objects.get(key)
  return element('Contents', [
    element('Key', shown),
    element('LastModified', (object?.modified ?? new Date(0)).toISOString()),
    element('ETag', object?.etag ?? '"gone"'),
    element('Size', object?.bytes.length ?? 0),
    element('StorageClass', 'STANDARD'),
  ])
}

function commonPrefix(shown: string): string {
  return element('CommonPrefixes', [element('Prefix', shown)])
}
