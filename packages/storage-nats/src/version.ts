import type { StoredMsg } from '@nats-io/jetstream'
import type { BlobInfo, ETag } from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { failure } from './nats-errors.ts'

/** What the object store of every NATS client keeps about an object. */
export interface Meta {
  readonly name: string
  readonly bucket: string
  readonly nuid: string
  readonly size: number
  readonly chunks: number
  readonly mtime: string
  /** `SHA-256=` and base64 in the alphabet of URLs. */
  readonly digest: string
  readonly deleted?: boolean
  readonly headers?: Readonly<Record<string, readonly string[]>>
  readonly metadata?: Readonly<Record<string, string>>
  readonly options?: { readonly max_chunk_size?: number; readonly link?: unknown }
}

/** The newest version of an object. The sequence of its message is never used again, which makes it the ETag. */
export interface Version {
  readonly seq: number
  readonly meta: Meta
  /** When it came, by the server's clock; our own put does not hear of it. */
  readonly time?: Date
}

/** Undefined where there is no message, deleted ones included: other clients mark them so. */
export async function newestVersion(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
): Promise<Version | undefined> {
  const message = await bucket.message(context, { last_by_subj: bucket.metaSubject(context.key) })
  return message === undefined ? undefined : versionOf(message, context)
}

export function versionOf(
  { seq, data, time }: Pick<StoredMsg, 'seq' | 'data' | 'time'>,
  context: RequestContext,
): Version {
  try {
    const meta = JSON.parse(new TextDecoder().decode(data)) as Meta
    if (typeof meta.name === 'string' && typeof meta.nuid === 'string') return { seq, meta, time }
  } catch {
    // Said below.
  }
  throw failure(context, 'unknown', `message ${seq} of the bucket is not about an object`)
}

export function isThere(version: Version | undefined): version is Version {
  return version !== undefined && version.meta.deleted !== true && version.meta.options?.link === undefined
}

export function infoOf({ seq, meta, time }: Version): BlobInfo {
  // The Go client leaves its time empty: year 1.
  const written = new Date(meta.mtime)
  const modified = written.getTime() > 0 || time === undefined ? written : time
  return { key: meta.name, size: meta.size, etag: String(seq) as ETag, modified }
}
