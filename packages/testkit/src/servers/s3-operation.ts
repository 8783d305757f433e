import type { HttpRequestHead } from './faulty-http-server.ts'

/** An address below a service that is used path style. */
export interface S3Address {
  readonly bucket: string
  /** Empty for the bucket itself. */
  readonly key: string
}

export function addressOf({ target }: HttpRequestHead): S3Address {
  const [path] = target.split('?') as [string]
  const [, bucket = '', ...rest] = path.split('/')
  return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(rest.join('/')) }
}

/** The name that S3's documentation gives the operation; `METHOD` and its place for one that the fake does not know. */
export function operationOf(request: HttpRequestHead): string {
  const { key, bucket } = addressOf(request)
  const { searchParams } = request.url
  const has = (name: string): boolean => searchParams.has(name)
  const place = key !== '' ? 'object' : bucket !== '' ? 'bucket' : 'service'
  const marks = ['uploads', 'uploadId', 'partNumber', 'delete', 'location', 'versioning'].filter(has)
  if (place === 'bucket' && searchParams.get('list-type') === '2') marks.push('list-type')
  if (place === 'object' && request.headers['x-amz-copy-source'] !== undefined) marks.push('copy')
  const name = `${request.method} ${[place, ...marks].join('+')}`
  return OPERATIONS[name] ?? name
}

const OPERATIONS: Readonly<Record<string, string>> = {
  'PUT bucket': 'CreateBucket',
  'HEAD bucket': 'HeadBucket',
  'DELETE bucket': 'DeleteBucket',
  'GET bucket+location': 'GetBucketLocation',
  'GET bucket+list-type': 'ListObjectsV2',
  'GET bucket+uploads': 'ListMultipartUploads',
  'POST bucket+delete': 'DeleteObjects',
  'PUT object': 'PutObject',
  'PUT object+copy': 'CopyObject',
  'PUT object+uploadId+partNumber+copy': 'UploadPartCopy',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'DELETE object': 'DeleteObject',
  'POST object+uploads': 'CreateMultipartUpload',
  'PUT object+uploadId+partNumber': 'UploadPart',
  'POST object+uploadId': 'CompleteMultipartUpload',
  'DELETE object+uploadId': 'AbortMultipartUpload',
}
