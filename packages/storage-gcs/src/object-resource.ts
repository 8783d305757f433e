import { type BlobInfo, type ETag, type Precondition, rfc3339 } from '@sqlstream/storage'
import { type CallContext, describe, failure } from './gcs-errors.ts'

/** Of an object's JSON, what is asked for. */
export const OBJECT_FIELDS: string = 'name,size,generation,timeCreated'
/** After an upload also what to compare. */
export const UPLOAD_FIELDS: string = `${OBJECT_FIELDS},md5Hash`

/**
 * What a store knows of an object, from its JSON. The ETag is the generation: it changes with the bytes and, unlike the
 * service's own ETag, not with metadata.
 * @throws StorageError when it is not the JSON of an object
 */
export function infoOf(resource: unknown, context: CallContext): BlobInfo {
  const { name, size, generation, timeCreated } = resource as Readonly<Record<string, unknown>>
  const modified = new Date(typeof timeCreated === 'string' ? timeCreated : Number.NaN)
  if (
    typeof name !== 'string' ||
    !isCount(size) ||
    !isCount(generation) ||
    Number.isNaN(modified.getTime())
  ) {
    throw failure(context, 'unknown', `${describe(context)}: the answer is not about an object`)
  }
  return { key: name, size: Number(size), etag: generation as ETag, modified }
}

function isCount(value: unknown): value is string {
  return typeof value === 'string' && /^\d+$/.test(value)
}

/**
 * The condition of a put, as the service wants it; 0 is "no object". Undefined for an ETag that no object here can have: were it
 * sent, the service would refuse the request as malformed, or take '0' for something else.
 */
export function generationMatch(precondition: Precondition): string | undefined {
  if (precondition.kind === 'absent') return '0'
  return /^[1-9]\d*$/.test(precondition.etag) ? precondition.etag : undefined
}

/** User metadata that carries the time of an object's content, named and written as Litestream does. */
export function timestampMetadata(timestamp: Date): Readonly<Record<string, string>> {
  return { 'litestream-timestamp': rfc3339(timestamp) }
}
