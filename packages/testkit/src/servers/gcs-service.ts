import type { HttpReply, HttpRequest, HttpRequestHead, HttpService } from './faulty-http-server.ts'
import { checkConditions, GCSBucket, type GCSObject, GCSRefusal } from './gcs-bucket.ts'
import { parseFields, selectFields } from './gcs-fields.ts'
import { listPage } from './gcs-listing.ts'
import { hashesOf, mediaReply, parseMetadata, parseMultipart } from './gcs-media.ts'
import { callOf, type GCSCall } from './gcs-operation.ts'
import { GCSSession } from './gcs-session.ts'

/** How the fake behaves. Default: as Google does, without a look at who asks. */
export interface GCSServiceOptions {
  /** There from the start. Default: `bucket`. */
  readonly buckets?: readonly string[]
  /** Then every request must bring it: `Authorization: Bearer …`. */
  readonly token?: string
  /** A session takes no more bytes than this from one request, as the service may. Default: all. */
  readonly sessionTakesAtMost?: number
  /** One request of a rewrite moves no more bytes than this, as between places. Default: all. */
  readonly rewritesAtMost?: number
}

/** Everything that clients send; a misspelt condition must not pass as none. */
const PARAMETERS: ReadonlySet<string> = new Set(
  (
    'alt prettyPrint fields projection userProject uploadType upload_id name generation sourceGeneration prefix delimiter ' +
    'startOffset endOffset maxResults pageToken includeTrailingDelimiter versions ifGenerationMatch ' +
    'ifGenerationNotMatch ifMetagenerationMatch ifMetagenerationNotMatch ifSourceGenerationMatch ' +
    'ifSourceGenerationNotMatch ifSourceMetagenerationMatch ifSourceMetagenerationNotMatch ' +
    'rewriteToken maxBytesRewrittenPerCall'
  ).split(' '),
)

/** The operations. */
export class GCSService implements HttpService {
  readonly buckets: ReadonlyMap<string, GCSBucket>
  /** Not yet complete, or complete and asked again, by their id. */
  readonly sessions: Map<string, GCSSession> = new Map()
  readonly #options: GCSServiceOptions
  #generation = 1_764_000_000_000_000

  constructor(options: GCSServiceOptions) {
    this.#options = options
    const next = (): string => String(++this.#generation)
    this.buckets = new Map((options.buckets ?? ['bucket']).map((name) => [name, new GCSBucket(name, next)]))
  }

  nameOf(request: HttpRequestHead): string {
    return callOf(request).operation
  }

  refuse(_request: HttpRequestHead, status: number, code = 'backendError'): HttpReply {
    return refusalReply(new GCSRefusal(status, code, `planned refusal ${status} ${code}`))
  }

  handle(request: HttpRequest, stale: boolean): HttpReply {
    try {
      return this.#perform(request, stale)
    } catch (error) {
      if (error instanceof GCSRefusal) return refusalReply(error)
      throw error
    }
  }

  #perform(request: HttpRequest, stale: boolean): HttpReply {
    const { token } = this.#options
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      throw new GCSRefusal(401, 'authError', 'Invalid Credentials')
    }
    const query = request.url.searchParams
    // Google's Go client sends some that it knows and that are not set.
    const stray = [...query].find(([name, value]) => value !== '' && !PARAMETERS.has(name))
    if (stray !== undefined) throw new GCSRefusal(400, 'invalidParameter', `Unknown parameter ${stray[0]}`)
    const call = callOf(request)
    const bucket = this.buckets.get(call.bucket)
    if (bucket === undefined) throw new GCSRefusal(404, 'notFound', 'The specified bucket does not exist.')
    switch (call.operation) {
      case 'buckets.get':
        return json({ kind: 'storage#bucket', id: bucket.name, name: bucket.name }, query)
      case 'objects.list':
        return json(listPage(bucket, query, stale), query)
      case 'objects.get':
        return json(bucket.read(call.name, query, stale).resource, query)
      case 'objects.download':
        return mediaReply(bucket.read(call.name, query, stale), request)
      case 'objects.patch':
        return json(bucket.patch(call.name, parseMetadata(request.body), query).resource, query)
      case 'objects.delete':
        bucket.remove(call.name, query)
        return { status: 204 }
      case 'objects.insert':
        return json(insert(bucket, request).resource, query)
      case 'objects.rewrite':
        return this.#rewrite(bucket, call, request)
      case 'uploads.start':
        return this.#start(bucket, request)
      case 'uploads.put':
      case 'uploads.status':
        return this.#put(request)
      case 'uploads.cancel':
        this.sessions.delete(query.get('upload_id')!)
        return { status: 499 }
      default:
        throw new GCSRefusal(501, 'notImplemented', `the fake knows no ${call.operation}`)
    }
  }

  #rewrite(source: GCSBucket, { name, to }: GCSCall, request: HttpRequest): HttpReply {
    const query = request.url.searchParams
    const target = this.buckets.get(to!.bucket)
    if (target === undefined) throw new GCSRefusal(404, 'notFound', 'The specified bucket does not exist.')
    const { bytes, resource } = source.read(name, new URLSearchParams())
    checkConditions(resource, query, 'ifSource')
    checkConditions(target.find(to!.name)?.resource, query)
    // Whoever goes on with a rewrite names how far it came; ours is of another version of the source then.
    const [generation = resource.generation, moved = '0'] = query.get('rewriteToken')?.split('-') ?? []
    if (generation !== resource.generation) throw new GCSRefusal(400, 'invalid', 'Invalid rewrite token')
    const end = Math.min(bytes.length, Number(moved) + (this.#options.rewritesAtMost ?? bytes.length))
    if (end < bytes.length) {
      const rewriteToken = `${generation}-${end}`
      return json({ kind: 'storage#rewriteResponse', done: false, rewriteToken }, query)
    }
    // What the request says of the copy stands in place of all that the source says.
    const { contentType, contentEncoding, metadata } =
      request.body.length === 0 ? resource : parseMetadata(request.body)
    const copied = {
      ...(contentType && { contentType }),
      ...(contentEncoding && { contentEncoding }),
      ...(metadata && { metadata }),
    }
    const object = target.write(to!.name, bytes, copied, query)
    return json({ kind: 'storage#rewriteResponse', done: true, resource: object.resource }, query)
  }

  #start(bucket: GCSBucket, request: HttpRequest): HttpReply {
    const query = request.url.searchParams
    const metadata = parseMetadata(request.body)
    const name = query.get('name') ?? metadata.name ?? ''
    checkConditions(bucket.find(name)?.resource, query)
    const id = `session-${++this.#generation}`
    this.sessions.set(id, new GCSSession(bucket, name, metadata, query))
    const path = `/upload/storage/v1/b/${bucket.name}/o?uploadType=resumable&upload_id=${id}`
    return { status: 200, headers: { location: `http://${request.headers.host}${path}` } }
  }

  #put({ url, headers, body }: HttpRequest): HttpReply {
    const session = this.sessions.get(url.searchParams.get('upload_id')!)
    if (session === undefined) throw new GCSRefusal(404, 'notFound', 'No such upload.')
    const contentRange = headers['content-range'] ?? `bytes 0-${body.length - 1}/${body.length}`
    const hashes = hashesOf(headers['x-goog-hash'])
    const object = session.put(contentRange, body, hashes, this.#options.sessionTakesAtMost)
    if (object !== undefined) return json(object.resource, session.query)
    return { status: 308, headers: session.size === 0 ? {} : { range: `bytes=0-${session.size - 1}` } }
  }
}

function insert(bucket: GCSBucket, request: HttpRequest): GCSObject {
  const query = request.url.searchParams
  if (query.get('uploadType') === 'media') {
    const hashes = hashesOf(request.headers['x-goog-hash'])
    return bucket.write(query.get('name') ?? '', request.body, hashes, query)
  }
  const { metadata, bytes } = parseMultipart(request)
  const name = query.get('name') ?? metadata.name ?? ''
  return bucket.write(name, bytes, { ...metadata, ...hashesOf(request.headers['x-goog-hash']) }, query)
}

function json(value: unknown, query: URLSearchParams): HttpReply {
  const fields = query.get('fields')
  const selected = fields === null ? value : selectFields(value, parseFields(fields))
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  return { status: 200, headers, body: JSON.stringify(selected) }
}

function refusalReply({ status, reason, message }: GCSRefusal): HttpReply {
  if (status === 304) return { status }
  const error = { code: status, message, errors: [{ message, domain: 'global', reason }] }
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  return { status, headers, body: JSON.stringify({ error }) }
}
