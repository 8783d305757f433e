import type { BlobClient } from '@azure/storage-blob'
import {
  type BlobContent,
  type ByteInterval,
  createBody,
  type ETag,
  type PullableStream,
  StorageError,
  StreamReader,
} from '@sqlstream/storage'
import { infoOf } from './info.ts'
import type { RequestContext, Requests } from './requests.ts'
import { DRIVER, translateError } from './service-errors.ts'

/** What is asked for: a range that the service knows, of one version if need be. */
export interface Download {
  /** Default: the whole blob. */
  readonly range?: { readonly offset: number; readonly length?: number | undefined } | undefined
  readonly etag?: ETag | undefined
}

/**
 * One request for a blob. Resolves when the answer begins.
 * @throws StorageError 'range-not-satisfiable', also for an empty blob, where the service gives nothing and no error
 */
export async function download(
  blob: BlobClient,
  requests: Requests,
  context: RequestContext & { readonly key: string },
  { range, etag }: Download = {},
): Promise<BlobContent> {
  const { key } = context
  const answer = await requests.repeated(context, (abortSignal) =>
    blob.download(range?.offset, range?.length, {
      abortSignal,
      // Going on with a cut body is the reader's business: it knows whether it wants to.
      maxRetryRequests: 0,
      ...(etag === undefined ? {} : { conditions: { ifMatch: `"${etag}"` } }),
    }),
  )
  const stream = answer.readableStreamBody!
  // It can fail while nobody reads it; the next reader gets that error, and nobody else should.
  stream.on('error', () => {})
  const release = (): void => {
    'destroy' in stream && typeof stream.destroy === 'function' && stream.destroy()
  }
  const fail = (code: 'range-not-satisfiable' | 'unavailable' | 'timeout', message: string): StorageError => {
    release()
    return new StorageError(message, { code, driver: DRIVER, operation: 'get', key })
  }
  const length = answer.contentLength ?? 0
  const sent = intervalOf(answer.contentRange, length)
  if (range !== undefined && sent.start >= sent.end) {
    throw fail('range-not-satisfiable', `no byte of ${key} (${sent.size}) is in the range`)
  }
  if (sent.start !== (range?.offset ?? 0) || length !== sent.end - sent.start) {
    throw fail(
      'unavailable',
      `get ${key}: the answer is ${answer.contentRange ?? 'the whole object'}, ${length} bytes`,
    )
  }
  const { signal } = context
  const { limitMs } = requests
  const reader = new StreamReader(stream as unknown as PullableStream, {
    signal,
    limitMs,
    onLimit: () => fail('timeout', `no further byte of ${key} within ${limitMs} ms`),
  })
  const body = createBody({
    async next() {
      try {
        return await reader.next()
      } catch (error) {
        signal?.throwIfAborted()
        throw translateError(error, context)
      }
    },
    async close() {
      reader.close(false)
    },
  })
  return {
    info: infoOf(context, { contentLength: sent.size, etag: answer.etag, lastModified: answer.lastModified }),
    body,
  }
}

/** `bytes 10-19/100`; without it the answer is the whole. */
function intervalOf(
  contentRange: string | undefined,
  length: number,
): ByteInterval & { readonly size: number } {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '')
  if (found === null) return { start: 0, end: length, size: length }
  return { start: Number(found[1]), end: Number(found[2]) + 1, size: Number(found[3]) }
}
