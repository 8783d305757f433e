import { OWN_PREFIX } from '@sqlstream/replica'
import {
  type AbortOptions,
  type BlobContent,
  type BlobInfo,
  type ByteRange,
  codeOfStatus,
  type ETag,
  type GetOptions,
} from '@sqlstream/storage'
import { ReadOnlyStore } from './read-only-store.ts'
import { bodyOf, wholeBody } from './stream-body.ts'

/** Objects up to this size are not streamed, bytes. */
const AT_ONCE = 8 * 1024 * 1024

/** Where the objects of a replica are, and how to learn which there are. */
export interface HttpPlace {
  /** For errors. */
  readonly driver: string
  /** The address of an object, for a GET with a range and without anything else. */
  urlOf(key: string): string
  /** Every object, in any order. Called for each listing, so it may be cached as long as nobody waits for new states. */
  list(options: AbortOptions): Promise<readonly BlobInfo[]>
}

/** A store that only reads, over HTTP: GET with ranges. Of a server elsewhere it needs CORS rules that allow the header `Range` and expose `Content-Range`. */
export class HttpStore extends ReadOnlyStore {
  override readonly driver: string
  readonly #place: HttpPlace
  #listed: ReadonlySet<string> | undefined

  constructor(place: HttpPlace) {
    super()
    this.driver = place.driver
    this.#place = place
  }

  protected override async objects(options: AbortOptions): Promise<readonly BlobInfo[]> {
    const objects = await this.#place.list(options)
    this.#listed = new Set(objects.map(({ key }) => key))
    return objects
  }

  override async get(key: string, { range, signal }: GetOptions = {}): Promise<BlobContent> {
    // A browser complains of each answer 404, and most replicas lack most of these.
    if (key.startsWith(OWN_PREFIX) && this.#listed?.has(key) === false) {
      throw this.failure('get', 'not-found', `there is no ${key}`, key)
    }
    const headers = new Headers()
    if (range) headers.set('range', rangeHeader(range))
    let response: Response
    try {
      response = await fetch(this.#place.urlOf(key), { headers, cache: 'no-store', signal: signal ?? null })
    } catch (error) {
      signal?.throwIfAborted()
      throw this.failure('get', 'unavailable', `no answer for ${key}: ${(error as Error).message}`, key)
    }
    if (!response.ok) {
      await response.body?.cancel()
      throw this.failure(
        'get',
        codeOfStatus(response.status),
        `the answer for ${key} is ${response.status}`,
        key,
      )
    }
    if (range && response.status !== 206) {
      await response.body?.cancel()
      throw this.failure(
        'get',
        'unsupported',
        'the server sends whole files where a range was asked for',
        key,
      )
    }
    const total = sizeOf(response)
    // Small ones come at once: a reader that leaves at the last byte it needs would break a stream off, which browsers report as a failure.
    if (range || total === undefined || total <= AT_ONCE || !response.body) {
      const whole = new Uint8Array(await response.arrayBuffer())
      return { info: infoOf(key, response, total ?? whole.byteLength), body: wholeBody(whole) }
    }
    return { info: infoOf(key, response, total), body: bodyOf(response.body, total) }
  }
}

function rangeHeader({ suffix, offset, length }: ByteRange): string {
  if (suffix !== undefined) return `bytes=-${suffix}`
  return `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`
}

/** Bytes of the whole object; undefined where the answer does not tell, or does not let the page see it. */
function sizeOf({ headers }: Response): number | undefined {
  const total = headers.get('content-range')?.split('/')[1] ?? headers.get('content-length')
  return total === null || total === undefined ? undefined : Number(total)
}

function infoOf(key: string, { headers }: Response, size: number): BlobInfo {
  return {
    key,
    size,
    etag: (headers.get('etag') ?? String(size)) as ETag,
    modified: new Date(headers.get('last-modified') ?? 0),
  }
}
