import { gunzipSync } from 'node:zlib'
import type { HttpReply, HttpRequest } from './faulty-http-server.ts'
import { type GCSMetadata, type GCSObject, GCSRefusal } from './gcs-bucket.ts'

/** The two parts of a multipart/related upload. @throws GCSRefusal 400 */
export function parseMultipart(request: HttpRequest): {
  readonly metadata: GCSMetadata
  readonly bytes: Buffer
} {
  const { headers, body } = request
  const boundary = /^multipart\/related;.*boundary="?([^";]+)"?/.exec(headers['content-type'] ?? '')?.[1]
  if (boundary === undefined) throw new GCSRefusal(400, 'badContent', 'no multipart/related body')
  const mark = Buffer.from(`--${boundary}`)
  const first = body.indexOf(mark)
  const second = body.indexOf(Buffer.from(`\r\n--${boundary}\r\n`), first)
  const end = body.lastIndexOf(Buffer.from(`\r\n--${boundary}--`))
  if (first !== 0 || second === -1 || end <= second) throw new GCSRefusal(400, 'badContent', 'not two parts')
  const json = afterHeaders(body.subarray(first, second))
  const bytes = afterHeaders(body.subarray(second + 2, end))
  return { metadata: parseMetadata(json), bytes: Buffer.from(bytes) }
}

/** @throws GCSRefusal 400 */
export function parseMetadata(json: Buffer): GCSMetadata {
  try {
    return JSON.parse(json.length === 0 ? '{}' : json.toString()) as GCSMetadata
  } catch {
    throw new GCSRefusal(400, 'parseError', 'Parse Error')
  }
}

function afterHeaders(part: Buffer): Buffer {
  const at = part.indexOf('\r\n\r\n')
  if (at === -1) throw new GCSRefusal(400, 'badContent', 'a part has no headers')
  return part.subarray(at + 4)
}

/** The hashes of a header `x-goog-hash: crc32c=…,md5=…`. */
export function hashesOf(header: string | string[] | undefined): Pick<GCSMetadata, 'md5Hash' | 'crc32c'> {
  const text = String(header ?? '')
  const md5Hash = /(?:^|,\s*)md5=([^,\s]+)/.exec(text)?.[1]
  const crc32c = /(?:^|,\s*)crc32c=([^,\s]+)/.exec(text)?.[1]
  return { ...(md5Hash === undefined ? {} : { md5Hash }), ...(crc32c === undefined ? {} : { crc32c }) }
}

/** An object's bytes or a range of them; a gzip is unpacked for those who do not accept it, and then has no ranges. */
export function mediaReply({ bytes, resource }: GCSObject, { headers }: HttpRequest): HttpReply {
  const isGzip = resource.contentEncoding === 'gzip'
  const common = {
    'content-type': resource.contentType,
    'last-modified': new Date(resource.updated).toUTCString(),
    etag: `"${resource.etag}"`,
    'x-goog-generation': resource.generation,
    'x-goog-metageneration': resource.metageneration,
    'x-goog-hash': `crc32c=${resource.crc32c},md5=${resource.md5Hash}`,
    'x-goog-stored-content-length': resource.size,
    'x-goog-stored-content-encoding': isGzip ? 'gzip' : 'identity',
  }
  if (isGzip && !/gzip/.test(String(headers['accept-encoding'] ?? ''))) {
    return { status: 200, headers: common, body: gunzipSync(bytes) }
  }
  const encoded = isGzip ? { ...common, 'content-encoding': 'gzip' } : common
  const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '')
  if (range === null) return { status: 200, headers: encoded, body: bytes }
  const [, from = '', to = ''] = range
  const start = from === '' ? Math.max(0, bytes.length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? bytes.length : Math.min(bytes.length, Number(to) + 1)
  if (start >= end) throw new GCSRefusal(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable')
  return {
    status: 206,
    headers: { ...encoded, 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` },
    body: bytes.subarray(start, end),
  }
}
