import { type BlobInfo, isKey, type ListOptions, type RetryOptions, retryTransient } from '@sqlstream/storage'
import { type GCSClient, parseAnswer } from './gcs-client.ts'
import { type CallContext, failure } from './gcs-errors.ts'
import { infoOf, OBJECT_FIELDS } from './object-resource.ts'

/** The most that the service gives in one answer. */
const PAGE_SIZE = 1000

/** All objects with legal keys, a request per 1,000. */
export async function* listObjects(
  client: GCSClient,
  options: ListOptions,
  retry: RetryOptions,
): AsyncGenerator<BlobInfo, void> {
  const { prefix, startAfter = '', signal } = options
  const context: CallContext = { operation: 'list' }
  let pageToken: string | undefined
  do {
    const query = {
      prefix: prefix || undefined,
      // That key itself comes too and is left out below.
      startOffset: startAfter || undefined,
      maxResults: String(PAGE_SIZE),
      fields: `nextPageToken,items(${OBJECT_FIELDS})`,
      pageToken,
    }
    const request = { method: 'GET', path: client.objectPath(), query, context, signal } as const
    const page = await retryTransient(async () => parseAnswer(await client.call(request), context), {
      ...retry,
      signal,
    })
    const { items = [], nextPageToken } = page as {
      readonly items?: unknown
      readonly nextPageToken?: unknown
    }
    if (!Array.isArray(items)) throw failure(context, 'unknown', 'list: the answer is no page of objects')
    for (const item of items) {
      const info = infoOf(item, context)
      signal?.throwIfAborted()
      if (info.key > startAfter && isKey(info.key)) yield info
    }
    if (nextPageToken !== undefined && nextPageToken === pageToken) {
      throw failure(context, 'unknown', 'list: the service gives the same page again')
    }
    pageToken = typeof nextPageToken === 'string' ? nextPageToken : undefined
  } while (pageToken !== undefined)
}
