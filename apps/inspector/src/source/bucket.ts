import { type Layout, parseLTXKey } from '@sqlstream/replica'
import { type AbortOptions, type BlobInfo, StorageError } from '@sqlstream/storage'
import type { Source } from '../inspection.ts'
import { InspectorError } from '../inspector-error.ts'
import { parseS3Listing } from '../model/s3-listing.ts'
import { HttpStore } from './http-store.ts'

/** A bucket that anybody may list and read, and the folder in it. */
interface Place {
  /** Ends with a slash. */
  readonly bucket: URL
  readonly prefix: string
}

/**
 * Opens a replica in a bucket of S3's protocol that allows listing and reading without a signature, and by CORS: `https://bucket.host/folder`, or
 * `https://host/bucket/folder`.
 *
 * @throws InspectorError `bad-url`, `no-listing`, `no-files`
 */
export async function openBucket(text: string): Promise<Source> {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InspectorError(
      'bad-url',
      'that is no http:// or https:// address',
      'For s3:// and others use sqlstream inspect <url>.',
    )
  }
  for (const place of placesOf(url)) {
    const objects = await listBucket(place, {}).catch(() => undefined)
    if (!objects) continue
    const layout = layoutOf(objects)
    if (!layout) throw new InspectorError('no-files', `there is no LTX file in ${text}`)
    const urlOf = (key: string): string => new URL(place.prefix + key, place.bucket).href
    const list = async (options: AbortOptions): Promise<readonly BlobInfo[]> =>
      await listBucket(place, options)
    return {
      name: url.origin + url.pathname,
      layout,
      urlOf,
      store: new HttpStore({ driver: 's3', urlOf, list }),
    }
  }
  throw new InspectorError(
    'no-listing',
    `${url.host} gives no list of files to this page`,
    'The bucket must allow anybody to list and read it, and pages of this origin by CORS. Otherwise use sqlstream inspect <url>.',
  )
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
    if (!page) {
      throw new StorageError(`${bucket.host} gives no list`, {
        code: 'unavailable',
        driver: 's3',
        operation: 'list',
      })
    }
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
