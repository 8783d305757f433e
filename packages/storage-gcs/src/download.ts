import {
  type BlobContent,
  type BlobInfo,
  type BlobStream,
  type ByteRange,
  createBody,
  type ETag,
  type GetOptions,
  isStorageError,
  resolveRange,
  type StorageError,
  StreamReader,
} from '@sqlstream/storage'
import type { GCSClient } from './gcs-client.ts'
import { type CallContext, describe, failure, unanswered } from './gcs-errors.ts'
import type { IncomingAnswer } from './send-request.ts'

/** An object or a range of it, in one request. */
export async function download(client: GCSClient, key: string, options: GetOptions): Promise<BlobContent> {
  const { range, signal } = options
  const context: CallContext = { operation: 'get', key }
  const stream = await client.open({
    method: 'GET',
    path: client.objectPath(key),
    query: { alt: 'media' },
    headers: {
      // A stored gzip stays one: unpacked by the service it has no length and no ranges.
      'accept-encoding': 'gzip',
      // Public objects are cached for an hour otherwise.
      'cache-control': 'no-store',
      ...(range === undefined ? {} : { range: rangeHeader(range) }),
    },
    context,
    signal,
  })
  try {
    const info = infoOfAnswer(stream, context)
    const interval = resolveRange(range, info.size)
    if (interval === undefined) throw outside(context)
    const length = interval.end - interval.start
    checkServed(stream, interval.start, length, info.size, context)
    return { info, body: bodyOf(stream, length, { client, context, signal }) }
  } catch (error) {
    stream.close()
    throw error
  }
}

function rangeHeader({ offset, length, suffix }: ByteRange): string {
  if (suffix !== undefined) return `bytes=-${suffix}`
  return `bytes=${offset}-${length === undefined ? '' : offset + length - 1}`
}

function infoOfAnswer({ header }: IncomingAnswer, context: CallContext): BlobInfo {
  const generation = header('x-goog-generation')
  const size = header('x-goog-stored-content-length')
  const modified = new Date(header('last-modified') ?? Number.NaN)
  if (generation === undefined || size === undefined || Number.isNaN(modified.getTime())) {
    throw failure(context, 'unknown', `${describe(context)}: the answer does not say which version it is`)
  }
  return { key: context.key!, size: Number(size), etag: generation as ETag, modified }
}

/** A proxy or an emulator may ignore a range, or a service pack what was stored plain: that would be other bytes. */
function checkServed(
  { status, header }: IncomingAnswer,
  start: number,
  length: number,
  size: number,
  context: CallContext,
): void {
  const served = header('content-length')
  const range = header('content-range')
  const first = status === 206 ? Number(/^bytes (\d+)-/.exec(range ?? '')?.[1]) : 0
  const last = status === 206 ? first + length : size
  if (first === start && last === start + length && (served === undefined || Number(served) === length))
    return
  throw failure(context, 'unsupported', `${describe(context)}: other bytes came than were asked for`, PROXY)
}

const PROXY = 'A proxy or an emulator between changes what is stored: reach the service directly.'

function outside(context: CallContext): StorageError {
  return failure(context, 'range-not-satisfiable', `no byte of ${context.key} is in the range`)
}

interface BodyContext {
  readonly client: GCSClient
  readonly context: CallContext
  readonly signal: AbortSignal | undefined
}

function bodyOf(
  stream: IncomingAnswer,
  length: number,
  { client, context, signal }: BodyContext,
): BlobStream {
  const { limitMs } = client
  const reader = new StreamReader(stream.data, {
    signal,
    limitMs,
    onLimit: () => failure(context, 'timeout', `${describe(context)}: no further byte within ${limitMs} ms`),
  })
  let left = length
  return createBody({
    async next() {
      const chunk = await nextOf(reader, context, signal)
      left -= chunk?.length ?? 0
      if (left < 0 || (chunk === undefined && left > 0)) {
        throw failure(context, 'unavailable', `${describe(context)}: the body has not the promised length`)
      }
      return chunk
    },
    async close() {
      reader.close(left === 0)
      // After the end this does nothing: the connection is already free for others.
      if (left !== 0) stream.close()
    },
  })
}

async function nextOf(
  reader: StreamReader,
  context: CallContext,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return await reader.next()
  } catch (error) {
    signal?.throwIfAborted()
    throw isStorageError(error) ? error : unanswered(error, context)
  }
}
