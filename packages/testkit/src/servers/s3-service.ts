import type { HttpReply, HttpRequest, HttpRequestHead, HttpService } from './faulty-http-server.ts'
import { etagOf, S3Bucket, type S3Conditions, type S3Object, unquoted } from './s3-bucket.ts'
import { S3Failure } from './s3-failure.ts'
import { listObjects } from './s3-listing.ts'
import { addressOf, operationOf } from './s3-operation.ts'
import { readPayload, type S3Payload } from './s3-payload.ts'
import { readObject, SECRET_DIGEST } from './s3-read.ts'
import { checkSignature } from './s3-signature.ts'
import { document, element, elementsOf, textOf } from './s3-xml.ts'

/** How the fake behaves. Default: as AWS does, without a look at signatures. */
export interface S3ServiceOptions {
  /** There from the start. Default: `bucket`. */
  readonly buckets?: readonly string[]
  /** Then every request must be signed with these. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Default: us-east-1. */
  readonly region?: string
  /**
   * What becomes of If-Match and If-None-Match on writes: honoured; ignored, as weak services do; refused with 501; or
   * honoured by PutObject and ignored by CompleteMultipartUpload, CopyObject and DeleteObject, as radosgw does.
   */
  readonly conditions?: 'honoured' | 'ignored' | 'refused' | 'put-only'
  /** Least bytes of a part that is not the last. Default: 5 MiB. */
  readonly minPartBytes?: number
  /** Bytes of the largest object that it copies. Default: 5 GiB. */
  readonly maxCopyBytes?: number
  /** Milliseconds that its clock is ahead. Default: 0. */
  readonly clockAheadMs?: number
  /** Keys whose deletion in a batch is refused. */
  readonly undeletable?: ReadonlySet<string>
  /** Batches of deletes: taken; refused with 501; or taken with Content-MD5 alone. Default: taken. */
  readonly batchDelete?: 'taken' | 'refused' | 'md5-only'
}

const KEPT_HEADER = /^(x-amz-meta-|x-amz-storage-class$|x-amz-server-side-encryption|content-type$)/
const SECRET_HEADER = /^x-amz-server-side-encryption-customer-key$/

/** The operations. */
export class S3Service implements HttpService {
  readonly buckets: Map<string, S3Bucket>
  readonly #options: S3ServiceOptions

  constructor(options: S3ServiceOptions) {
    this.#options = options
    this.buckets = new Map((options.buckets ?? ['bucket']).map((name) => [name, new S3Bucket()]))
  }

  nameOf(request: HttpRequestHead): string {
    return operationOf(request)
  }

  refuse(request: HttpRequestHead, status: number, code = `Status${status}`): HttpReply {
    return failureReply(request, new S3Failure(status, code))
  }

  handle(request: HttpRequest, stale: boolean): HttpReply {
    const common = { date: this.#now().toUTCString(), 'x-amz-request-id': 'fake' }
    try {
      const { headers, ...reply } = this.#perform(request, stale)
      return { ...reply, headers: { ...common, ...headers } }
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error
      const { headers, ...reply } = failureReply(request, error)
      return { ...reply, headers: { ...common, ...headers } }
    }
  }

  #perform(request: HttpRequest, stale: boolean): HttpReply {
    const { credentials, region = 'us-east-1' } = this.#options
    const signature =
      credentials === undefined
        ? undefined
        : checkSignature(request, { ...credentials, region, now: this.#now() })
    const payload = readPayload(request, signature)
    const { bucket: name, key } = addressOf(request)
    const query = request.url.searchParams
    const operation = operationOf(request)
    if (operation === 'CreateBucket') {
      this.buckets.set(name, this.buckets.get(name) ?? new S3Bucket())
      return { status: 200 }
    }
    const bucket = this.buckets.get(name)
    if (bucket === undefined) throw new S3Failure(404, 'NoSuchBucket', 'The specified bucket does not exist')
    switch (operation) {
      case 'HeadBucket':
        return { status: 200, headers: { 'x-amz-bucket-region': region } }
      case 'GetBucketLocation':
        return { status: 200, body: document('LocationConstraint', region === 'us-east-1' ? [] : [region]) }
      case 'ListObjectsV2':
        return { status: 200, body: listObjects(name, bucket, query, stale) }
      case 'ListMultipartUploads': {
        const uploads = [...bucket.uploads].map(([id, upload]) =>
          element('Upload', [element('Key', upload.key), element('UploadId', id)]),
        )
        return { status: 200, body: document('ListMultipartUploadsResult', uploads) }
      }
      case 'PutObject': {
        const object = this.#object(request, payload)
        bucket.put(key, object, this.#conditions(request, 'put'))
        return { status: 200, headers: { etag: object.etag } }
      }
      case 'CopyObject':
        return this.#copy(request, bucket, key)
      case 'GetObject':
      case 'HeadObject':
        return readObject(request, bucket, key)
      case 'DeleteObject':
        bucket.delete(key, this.#conditions(request, 'other'))
        return { status: 204 }
      case 'DeleteObjects':
        return this.#deleteObjects(request, bucket, payload)
      case 'CreateMultipartUpload': {
        const algorithm = request.headers['x-amz-checksum-algorithm']
        const checksum =
          algorithm === undefined ? undefined : `x-amz-checksum-${String(algorithm).toLowerCase()}`
        const id = bucket.createUpload({ key, headers: keptHeaders(request), checksum })
        return {
          status: 200,
          body: document('InitiateMultipartUploadResult', [element('Key', key), element('UploadId', id)]),
        }
      }
      case 'UploadPartCopy':
        return this.#uploadPartCopy(request, bucket, key)
      case 'UploadPart':
        return this.#uploadPart(query, bucket, key, payload)
      case 'CompleteMultipartUpload': {
        const parts = elementsOf(payload.bytes.toString(), 'Part').map((part) => ({
          number: Number(textOf(part, 'PartNumber')),
          etag: textOf(part, 'ETag') ?? '',
          checksum: textOf(part, 'ChecksumCRC32') ?? textOf(part, 'ChecksumSHA256'),
        }))
        const object = bucket.complete(query.get('uploadId')!, key, parts, {
          conditions: this.#conditions(request, 'other'),
          minPartBytes: this.#options.minPartBytes ?? 5 << 20,
          modified: this.#modified(),
        })
        const result = [element('Bucket', name), element('Key', key), element('ETag', object.etag)]
        return { status: 200, body: document('CompleteMultipartUploadResult', result) }
      }
      case 'AbortMultipartUpload':
        bucket.upload(query.get('uploadId')!, key)
        bucket.uploads.delete(query.get('uploadId')!)
        return { status: 204 }
      default:
        throw new S3Failure(501, 'NotImplemented', `The fake has no ${operation}`)
    }
  }

  #copy(request: HttpRequest, bucket: S3Bucket, key: string): HttpReply {
    const source = this.#copySource(request)
    const headers =
      request.headers['x-amz-metadata-directive'] === 'REPLACE' ? keptHeaders(request) : source.headers
    const object = { bytes: source.bytes, etag: etagOf(source.bytes), headers, modified: this.#modified() }
    bucket.put(key, object, this.#conditions(request, 'other'))
    return { status: 200, body: document('CopyObjectResult', [element('ETag', object.etag)]) }
  }

  #uploadPartCopy(request: HttpRequest, bucket: S3Bucket, key: string): HttpReply {
    const query = request.url.searchParams
    const upload = bucket.upload(query.get('uploadId')!, key)
    const { bytes } = this.#copySource(request)
    const part = { bytes, etag: etagOf(bytes), checksums: new Map<string, string>() }
    upload.parts.set(partNumber(query), part)
    return { status: 200, body: document('CopyPartResult', [element('ETag', part.etag)]) }
  }

  /** @throws S3Failure when it is not there, is another version, or was encrypted with another key */
  #copySource({ headers }: HttpRequest): S3Object {
    const [, name = '', key = ''] =
      /^\/?([^/]+)\/(.+)$/.exec(decodeURIComponent(String(headers['x-amz-copy-source']))) ?? []
    const object = this.buckets.get(name)?.objects.get(key)
    if (object === undefined) throw new S3Failure(404, 'NoSuchKey')
    const wanted = headers['x-amz-copy-source-if-match']
    if (wanted !== undefined && unquoted(String(wanted)) !== unquoted(object.etag))
      throw new S3Failure(412, 'PreconditionFailed')
    const digest = headers['x-amz-copy-source-server-side-encryption-customer-key-md5']
    if (object.headers[SECRET_DIGEST] !== digest) throw new S3Failure(400, 'InvalidRequest')
    if (object.bytes.length > (this.#options.maxCopyBytes ?? 5 * 2 ** 30))
      throw new S3Failure(400, 'InvalidRequest', 'The source is larger than the largest that can be copied')
    return object
  }

  #deleteObjects(request: HttpRequest, bucket: S3Bucket, { bytes, checksums }: S3Payload): HttpReply {
    const { batchDelete = 'taken', undeletable } = this.#options
    if (batchDelete === 'refused')
      throw new S3Failure(501, 'NotImplemented', 'A header or query is not implemented')
    const hasDigest =
      request.headers['content-md5'] !== undefined || (batchDelete === 'taken' && checksums.size > 0)
    if (!hasDigest)
      throw new S3Failure(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5')
    const text = bytes.toString()
    const keys = elementsOf(text, 'Object').map((object) => textOf(object, 'Key') ?? '')
    if (keys.length === 0 || keys.length > 1000) throw new S3Failure(400, 'MalformedXML')
    const results = keys.map((key) => {
      if (undeletable?.has(key) === true)
        return element('Error', [
          element('Key', key),
          element('Code', 'AccessDenied'),
          element('Message', 'Access Denied'),
        ])
      bucket.delete(key)
      return textOf(text, 'Quiet') === 'true' ? '' : element('Deleted', [element('Key', key)])
    })
    return { status: 200, body: document('DeleteResult', results) }
  }

  #uploadPart(
    query: URLSearchParams,
    bucket: S3Bucket,
    key: string,
    { bytes, checksums }: S3Payload,
  ): HttpReply {
    const upload = bucket.upload(query.get('uploadId')!, key)
    const number = partNumber(query)
    for (const name of checksums.keys()) {
      if (name !== upload.checksum)
        throw new S3Failure(
          400,
          'InvalidRequest',
          `Checksum Type mismatch occurred, expected ${upload.checksum}`,
        )
    }
    if (upload.checksum !== undefined && !checksums.has(upload.checksum))
      throw new S3Failure(400, 'InvalidRequest', `The part has no ${upload.checksum}`)
    const etag = etagOf(bytes)
    upload.parts.set(number, { bytes, etag, checksums })
    return { status: 200, headers: { etag, ...Object.fromEntries(checksums) } }
  }

  #object(request: HttpRequest, { bytes }: S3Payload): S3Object {
    return { bytes, etag: etagOf(bytes), modified: this.#modified(), headers: keptHeaders(request) }
  }

  #conditions(request: HttpRequest, write: 'put' | 'other'): S3Conditions | undefined {
    const { conditions = 'honoured' } = this.#options
    const ifMatch = request.headers['if-match']
    const ifNoneMatch = request.headers['if-none-match']
    if (ifMatch === undefined && ifNoneMatch === undefined) return undefined
    if (conditions === 'refused')
      throw new S3Failure(
        501,
        'NotImplemented',
        'A header you provided implies functionality that is not implemented',
      )
    if (conditions === 'ignored' || (conditions === 'put-only' && write === 'other')) return undefined
    return { ifMatch, ifNoneMatch }
  }

  #now(): Date {
    return new Date(Date.now() + (this.#options.clockAheadMs ?? 0))
  }

  #modified(): Date {
    return new Date(Math.floor(this.#now().getTime() / 1000) * 1000)
  }
}

function partNumber(query: URLSearchParams): number {
  const number = Number(query.get('partNumber'))
  if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new S3Failure(400, 'InvalidArgument')
  return number
}

function keptHeaders(request: HttpRequest): Record<string, string> {
  const entries = Object.entries(request.headers).filter(
    ([name]) => KEPT_HEADER.test(name) && !SECRET_HEADER.test(name),
  )
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))
}

function failureReply(request: HttpRequestHead, failure: S3Failure): HttpReply {
  const body = [
    element('Code', failure.code),
    element('Message', failure.message),
    element('Resource', addressOf(request).key),
    element('RequestId', 'fake'),
  ]
  const headers = { 'content-type': 'application/xml', ...failure.headers }
  return {
    status: failure.status,
    headers,
    body: `<?xml version="1.0" encoding="UTF-8"?>\n${element('Error', body)}`,
  }
}
