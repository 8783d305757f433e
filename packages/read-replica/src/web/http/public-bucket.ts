import { type Layout, parseLTXKey } from '@sqlstream/replica'
import { type AbortOptions, type BlobInfo, StorageError, type StorageErrorCode } from '@sqlstream/storage'
import { HttpStore } from './http-store.ts'
import { parseS3Listing } from './s3-listing.ts'

/** A bucket that anybody may list and read, and the folder in it. */
interface Place {
  /** Ends with a slash. */
  readonly bucket: URL
  readonly prefix: string
}

/** A replica that can be read by plain HTTP. */
export interface PublicReplica {
  readonly store: HttpStore
  readonly layout: Layout
  /** The address of an object: what `openReplica` takes for pages that are not isolated. */
  readonly urlOf: (key: string) => string
}

/**
 * Finds a replica in a bucket of S3's protocol that allows listing and reading without a signature, and by CORS: `https://bucket.host/folder`, or
 * `https://host/bucket/folder`.
 *
 * @throws StorageError `invalid-config` when it is no address, `permission-denied` when there is no listing, `not-found` when there is no LTX file; the
 * reason of the signal
 */
export async function findPublicReplica(address: string, options: AbortOptions = {}): Promise<PublicReplica> {
  const url = URL.parse(address)
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw failure(
      'invalid-config',
      'that is no http:// or https:// address',
      'Give the address of the bucket as browsers see it.',
    )
  }
  for (const place of placesOf(url)) {
    const objects = await listBucket(place, options).catch(() => undefined)
    options.signal?.throwIfAborted()
    if (!objects) continue
    const layout = layoutOf(objects)
    if (!layout) throw failure('not-found', `there is no LTX file in ${address}`)
    const urlOf = (key: string): string => new URL(place.prefix + key, place.bucket).href
    const list = (listOptions: AbortOptions): Promise<BlobInfo[]> => listBucket(place, listOptions)
    return { layout, urlOf, store: new HttpStore({ driver: 's3', urlOf, list }) }
  }
  throw failure(
    'permission-denied',
    `${url.host} gives no list of files to this page`,
    'The bucket must allow anybody to list and read it, and pages of this origin by CORS.',
  )
}

function failure(code: StorageErrorCode, message: string, hint?: string): StorageError {
  return new StorageError(message, { code, driver: 's3', operation: 'list', hint })
}

/** The bucket is named by the host, or by the first folder. */
function placesOf(url: URL): Place[] {
  const folders = decodeURIComponent(url.pathname).split('/').filter(Boolean)
  const prefixOf = (names: readonly string[]): string => names.map((name) => `${name}/`).join('')
  const places: Place[] = [{ bucket: new URL('/', url), prefix: prefixOf(folders) }]
  if (folders[0] === undefined) return places
  const own = {
    bucket: new URL(`/${encodeURIComponent(folders[0])}/`, url),
    prefix: prefixOf(folders.slice(1)),
  }
  return [own, ...places]
}

async function listBucket({ bucket, prefix }: Place, { signal }: AbortOptions): Promise<BlobInfo[]> {
  const objects: BlobInfo[] = []
  for (let token: string | undefined = ''; token !== undefined; ) {
    const url = new URL(bucket)
    url.search = new URLSearchParams({
      'list-type': '2',
      prefix,
      ...(token !== '' && { 'continuation-token': token }),
    }).toString()
    const response = await fetch(url, { cache: 'no-store', signal: signal ?? null })
    const page = response.ok ? parseS3Listing(await response.text()) : undefined
    if (!page) throw failure('unavailable', `${bucket.host} gives no list`)
    objects.push(...page.objects.map((object) => ({ ...object, key: object.key.slice(prefix.length) })))
    token = page.next
  }
  return objects
}

function layoutOf(objects: readonly BlobInfo[]): Layout | undefined {
  return (['s3', 'plain'] as const).find((layout) =>
    objects.some(({ key }) => parseLTXKey(layout, key).kind === 'ltx'),
  )
}
