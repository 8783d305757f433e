import { type BlobInfo, type CopyOptions, isStorageError } from '@sqlstream/storage'
import { dateOf, type S3Connection, type Send, uploadMs } from './connection.ts'
import { failure, s3CodeOf } from './errors.ts'
import { headObject } from './head-object.ts'
import { copyAsPart } from './multipart-upload.ts'
import { customerKeyFields, etagOf, newObjectFields } from './object-info.ts'
import { conditionFields, decisively, MAX_PUT, type Put } from './put-object.ts'
import type { S3Settings } from './settings.ts'

/** An object, and how to reach it. */
export interface CopyEnd {
  readonly connection: S3Connection
  readonly key: string
}

/** What every request names that copies an object. */
export interface CopySourceFields {
  readonly CopySource: string
  readonly CopySourceIfMatch: string
  readonly CopySourceSSECustomerAlgorithm?: string
  readonly CopySourceSSECustomerKey?: string
}

/**
 * Copies an object within a service. A condition is kept by CopyObject where the service does that, else by the last request of an
 * upload of one part. Undefined where neither does, for an object of more than 5 GiB, and where the service refuses for a
 * reason that a put does not have: nothing was copied then.
 */
export async function copyObject(
  source: CopyEnd,
  { connection, key }: CopyEnd,
  options: CopyOptions,
): Promise<BlobInfo | undefined> {
  const { settings } = connection
  const { precondition, signal } = options
  const put: Put = { connection, key, options, context: { operation: 'copy', key } }
  const inParts = precondition !== undefined && !settings.conditionalCopy
  if (!isSameService(source.connection.settings, settings)) return undefined
  if (inParts && !settings.conditionalComplete) return undefined
  const { size, etag } = await headSource(source, put)
  // Nothing is no part.
  if (size > MAX_PUT || (inParts && size === 0)) return undefined
  const fields = copySourceFields(source, etag)
  try {
    return await (inParts ? copyAsPart(put, fields, size) : copyWhole(put, fields, size))
  } catch (error) {
    signal?.throwIfAborted()
    if (isRefusedCopy(error)) return undefined
    if (!isStorageError(error, 'precondition-failed')) throw error
    // The source has a condition too, and the service does not say which of the two failed.
    if ((await headSource(source, put)).etag !== etag) return undefined
    throw error
  }
}

/** The service is to read one end with the rights of the other. */
function isSameService(one: S3Settings, other: S3Settings): boolean {
  const access = ({ endpoint, credentials, profile }: S3Settings): string =>
    JSON.stringify([
      endpoint,
      profile,
      credentials?.accessKeyId,
      credentials?.secretAccessKey,
      credentials?.sessionToken,
    ])
  return access(one) === access(other)
}

async function headSource({ connection, key }: CopyEnd, { context, options }: Put): Promise<BlobInfo> {
  try {
    return (await headObject(connection, key, context, options)).info
  } catch (error) {
    if (!isStorageError(error, 'not-found')) throw error
    throw failure(context, 'not-found', `there is no object ${key} to copy`, error.hint)
  }
}

function copySourceFields({ connection, key }: CopyEnd, etag: string): CopySourceFields {
  const { bucket, encryption } = connection.settings
  const { SSECustomerAlgorithm, SSECustomerKey } = customerKeyFields(encryption)
  const path = bucket.startsWith('arn:') ? `${bucket}/object/${key}` : `${bucket}/${key}`
  return {
    CopySource: path.split('/').map(encodeURIComponent).join('/'),
    CopySourceIfMatch: etag,
    ...(SSECustomerAlgorithm === undefined
      ? {}
      : { CopySourceSSECustomerAlgorithm: SSECustomerAlgorithm, CopySourceSSECustomerKey: SSECustomerKey! }),
  }
}

async function copyWhole(put: Put, source: CopySourceFields, size: number): Promise<BlobInfo> {
  const { connection, context, key, options } = put
  const { settings } = connection
  const request = { context, signal: options.signal, extraMs: uploadMs(size) }
  const sendWith =
    (putId: string | undefined): Send<BlobInfo> =>
    async (client, sdk, http) => {
      const answer = await client.send(
        new sdk.CopyObjectCommand({
          Bucket: settings.bucket,
          Key: key,
          ...source,
          // Ours instead of those of the source: its time, its id and its class are its own.
          MetadataDirective: 'REPLACE',
          ...newObjectFields(settings, { timestamp: options.timestamp, putId }),
          ...customerKeyFields(settings.encryption),
          ...conditionFields(options.precondition),
        }),
        http,
      )
      return { key, size, etag: etagOf(answer.CopyObjectResult?.ETag), modified: dateOf(answer) }
    }
  const { precondition } = options
  if (precondition === undefined) return connection.retried(request, sendWith(undefined))
  return decisively(put, (putId) => connection.once(request, sendWith(putId)))
}

/** Where a service does not copy, or not this object, or may not read it with these rights, it may still be read and put. */
function isRefusedCopy(error: unknown): boolean {
  if (!isStorageError(error)) return false
  return ['unsupported', 'permission-denied'].includes(error.code) || s3CodeOf(error) === 'InvalidRequest'
}
