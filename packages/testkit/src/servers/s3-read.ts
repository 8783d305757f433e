import type { HttpReply, HttpRequest } from './faulty-http-server.ts'
import { type S3Bucket, unquoted } from './s3-bucket.ts'
import { S3Failure } from './s3-failure.ts'

/** Header that tells which key of the client's own an object is encrypted with. */
export const SECRET_DIGEST = 'x-amz-server-side-encryption-customer-key-md5'

/** A GET or HEAD of an object, or of a range of it. @throws S3Failure */
export function readObject(request: HttpRequest, bucket: S3Bucket, key: string): HttpReply {
  const object = bucket.objects.get(key)
  if (object === undefined) throw new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.')
  const { bytes, etag, modified } = object
  if (object.headers[SECRET_DIGEST] !== request.headers[SECRET_DIGEST])
    throw new S3Failure(
      400,
      'InvalidRequest',
      'The object was stored using another form of Server Side Encryption.',
    )
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, range } = request.headers
  if (ifMatch !== undefined && unquoted(ifMatch) !== unquoted(etag))
    throw new S3Failure(412, 'PreconditionFailed')
  if (ifNoneMatch !== undefined && unquoted(ifNoneMatch) === unquoted(etag)) return { status: 304 }
  const headers = {
    ...object.headers,
    etag,
    'last-modified': modified.toUTCString(),
    'accept-ranges': 'bytes',
  }
  const wanted = /^bytes=(\d*)-(\d*)$/.exec(range ?? '')
  if (wanted === null)
    return { status: 200, headers: { ...headers, 'content-length': String(bytes.length) }, body: bytes }
  const [, first = '', last = ''] = wanted
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1)
  if (start >= end) throw new S3Failure(416, 'InvalidRange', 'The requested range is not satisfiable')
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
    },
    body: bytes.subarray(start, end),
  }
}
