import {
  type BlobInfo,
  isStorageError,
  putDecisively,
  type RetryOptions,
  retryTransient,
} from '@sqlstream/storage'
import { type GCSClient, parseAnswer } from './gcs-client.ts'
import { failure } from './gcs-errors.ts'
import { infoOf, OBJECT_FIELDS } from './object-resource.ts'
import { CONTENT_TYPE, type Upload } from './upload-once.ts'

/** Bytes that one request moves where they move at all, to another place or class: it has to end in time. */
const AT_MOST = 256 * 2 ** 20
/** User metadata of a copy: which call made it. */
const COPY_ID = 'sqlstream-copy'

/** An object of any bucket. */
export interface RewriteSource {
  readonly client: GCSClient
  readonly key: string
}

/**
 * Copies an object by the service, whose rights decide. Within a place and a class that is one request whatever the size. Undefined
 * where it is another service, where these credentials may not read the source, and where an emulator would ignore a condition.
 */
export async function rewriteObject(
  source: RewriteSource,
  client: GCSClient,
  upload: Upload,
  retry: RetryOptions,
): Promise<BlobInfo | undefined> {
  if (source.client.endpoint !== client.endpoint) return undefined
  if (upload.ifGeneration !== undefined && client.isEmulator) return undefined
  const options = { ...retry, signal: upload.signal }
  try {
    if (upload.ifGeneration === undefined) {
      return await retryTransient(() => rewrite(source, client, upload), options)
    }
    const id = crypto.randomUUID()
    const identified = { ...upload, metadata: { ...upload.metadata, [COPY_ID]: id } }
    return await putDecisively(
      {
        send: () => rewrite(source, client, identified),
        find: () => find(client, upload, id),
      },
      options,
    )
  } catch (error) {
    upload.signal?.throwIfAborted()
    if (isStorageError(error, 'permission-denied') || isStorageError(error, 'unsupported')) return undefined
    throw error
  }
}

async function rewrite(source: RewriteSource, client: GCSClient, upload: Upload): Promise<BlobInfo> {
  const { key, ifGeneration, metadata, context, signal } = upload
  const body = Buffer.from(JSON.stringify({ contentType: CONTENT_TYPE, ...(metadata && { metadata }) }))
  for (let rewriteToken: string | undefined; ; ) {
    const answer = await client.call({
      method: 'POST',
      path: `${source.client.objectPath(source.key)}/rewriteTo${client.targetPath(key)}`,
      query: {
        ifGenerationMatch: ifGeneration,
        maxBytesRewrittenPerCall: String(AT_MOST),
        rewriteToken,
        fields: `done,rewriteToken,resource(${OBJECT_FIELDS})`,
      },
      headers: { 'content-type': 'application/json' },
      body,
      context,
      signal,
    })
    const said = parseAnswer(answer, context) as Readonly<Record<string, unknown>>
    if (said['done'] !== false) return infoOf(said['resource'] ?? {}, context)
    const next = said['rewriteToken']
    if (typeof next !== 'string')
      throw failure(context, 'unknown', `copy ${key}: the answer does not say how to go on`)
    rewriteToken = next
  }
}

/** The object that is there, if this call made it. */
async function find(client: GCSClient, upload: Upload, id: string): Promise<BlobInfo | undefined> {
  const { key, context, signal } = upload
  const fields = `${OBJECT_FIELDS},metadata`
  const answer = await client.call({
    method: 'GET',
    path: client.objectPath(key),
    query: { fields },
    context,
    signal,
  })
  const resource = parseAnswer(answer, context) as { readonly metadata?: Readonly<Record<string, unknown>> }
  return resource.metadata?.[COPY_ID] === id ? infoOf(resource, context) : undefined
}
