import type { HttpRequestHead } from './faulty-http-server.ts'

/** What a request is for. */
export interface GCSCall {
  /** As Google's reference names it, for instance 'objects.list'; 'uploads.…' for the steps of a resumable session. */
  readonly operation: string
  readonly bucket: string
  /** Empty where the call is not about one object. */
  readonly name: string
  /** Where a rewrite goes. */
  readonly to?: { readonly bucket: string; readonly name: string }
}

const OBJECT = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/
const REWRITE = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)\/rewriteTo\/b\/([^/]+)\/o\/([^/]+)$/
const OBJECTS = /^\/storage\/v1\/b\/([^/]+)\/o$/
const BUCKET = /^\/storage\/v1\/b\/([^/]+)$/
const UPLOAD = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/
/** The address of Google's older XML API, which its Go client reads from. */
const XML = /^\/([^/]+)\/(.+)$/

/** @returns a call with the operation 'METHOD /path' for what the fake does not know */
export function callOf({ method, target, url, headers }: HttpRequestHead): GCSCall {
  const path = target.split('?')[0]!
  const query = url.searchParams
  const find = (pattern: RegExp): string[] | undefined => pattern.exec(path)?.slice(1).map(decodeURIComponent)
  let found = find(UPLOAD)
  if (found !== undefined) {
    return {
      operation: uploadOperation(method, query, headers),
      bucket: found[0]!,
      name: query.get('name') ?? '',
    }
  }
  found = find(REWRITE)
  if (found !== undefined && method === 'POST') {
    const to = { bucket: found[2]!, name: found[3]! }
    return { operation: 'objects.rewrite', bucket: found[0]!, name: found[1]!, to }
  }
  found = find(OBJECT)
  if (found !== undefined) {
    const read = query.get('alt') === 'media' ? 'objects.download' : 'objects.get'
    const operation = { GET: read, PATCH: 'objects.patch', DELETE: 'objects.delete' }[method]
    if (operation !== undefined) return { operation, bucket: found[0]!, name: found[1]! }
  }
  found = find(OBJECTS)
  if (found !== undefined && method === 'GET')
    return { operation: 'objects.list', bucket: found[0]!, name: '' }
  found = find(BUCKET)
  if (found !== undefined && method === 'GET')
    return { operation: 'buckets.get', bucket: found[0]!, name: '' }
  found = path.startsWith('/storage/') ? undefined : find(XML)
  if (found !== undefined && method === 'GET') {
    return { operation: 'objects.download', bucket: found[0]!, name: found[1]! }
  }
  return { operation: `${method} ${path}`, bucket: '', name: '' }
}

function uploadOperation(
  method: string,
  query: URLSearchParams,
  headers: HttpRequestHead['headers'],
): string {
  if (query.has('upload_id')) {
    if (method === 'DELETE') return 'uploads.cancel'
    return /^bytes \*\//.test(headers['content-range'] ?? '') ? 'uploads.status' : 'uploads.put'
  }
  return query.get('uploadType') === 'resumable' ? 'uploads.start' : 'objects.insert'
}
