import { type GCSBucket, GCSRefusal, type GCSResource } from './gcs-bucket.ts'

/** The JSON of a page. */
export interface GCSListing {
  readonly kind: 'storage#objects'
  readonly items?: readonly GCSResource[]
  readonly prefixes?: readonly string[]
  readonly nextPageToken?: string
}

/** One page of objects.list: byte order, prefix, delimiter, offsets, at most 1,000 entries. */
export function listPage(bucket: GCSBucket, query: URLSearchParams, stale: boolean): GCSListing {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const startOffset = query.get('startOffset') ?? ''
  const endOffset = query.get('endOffset') || null
  const max = Number(query.get('maxResults') ?? 1000)
  if (!Number.isInteger(max) || max < 1) throw new GCSRefusal(400, 'invalid', 'Invalid value for maxResults')
  const token = query.get('pageToken') || null
  const after = token === null ? undefined : Buffer.from(token, 'base64url').toString()
  const items: GCSResource[] = []
  const prefixes: string[] = []
  let last = after
  let isMore = false
  for (const name of bucket.names(stale)) {
    if (!name.startsWith(prefix) || isBefore(name, startOffset)) continue
    if (endOffset !== null && !isBefore(name, endOffset)) continue
    if (after !== undefined && !isBefore(after, name)) continue
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    const folder = cut === -1 ? undefined : name.slice(0, cut + delimiter.length)
    if (folder !== undefined && last?.startsWith(folder) === true) continue
    if (items.length + prefixes.length === Math.min(max, 1000)) {
      isMore = true
      break
    }
    last = folder ?? name
    if (folder === undefined) items.push(bucket.find(name, stale)!.resource)
    else prefixes.push(folder)
  }
  return {
    kind: 'storage#objects',
    ...(items.length === 0 ? {} : { items }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(isMore ? { nextPageToken: Buffer.from(last!).toString('base64url') } : {}),
  }
}

function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
}
