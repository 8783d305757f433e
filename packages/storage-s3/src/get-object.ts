import type { Readable } from 'node:stream'
import {
  type BlobContent,
  type ByteRange,
  createBody,
  type GetOptions,
  resolveRange,
  StreamReader,
} from '@sqlstream/storage'
import type { S3Connection } from './connection.ts'
import { type CallContext, failure, translateError } from './errors.ts'
import { customerKeyFields, infoOf } from './object-info.ts'

/** One request. The body holds a socket until it ends or is released. */
export async function getObject(
  connection: S3Connection,
  key: string,
  options: GetOptions,
): Promise<BlobContent> {
  const { range, signal } = options
  const { bucket, encryption } = connection.settings
  const context: CallContext = { operation: 'get', key }
  await connection.bodies.enter({ signal })
  let stream: Readable | undefined
  let reader: StreamReader | undefined
  let left: number | undefined
  const release = (): void => {
    if (reader === undefined) stream?.destroy()
    else reader.close(left === 0)
    connection.bodies.leave()
  }
  try {
    const answer = await connection.retried({ context, signal }, async (client, sdk, http) => {
      const input = { Bucket: bucket, Key: key, ...customerKeyFields(encryption) }
      const ranged = range === undefined ? input : { ...input, Range: rangeHeader(range) }
      const output = await client.send(new sdk.GetObjectCommand(ranged), http)
      const body = output.Body as Readable
      // An error reaches the reader; one that comes before the first read would end the process.
      body.on('error', () => {})
      // An answer that came after the limit is nobody's.
      if (http.abortSignal.aborted) body.destroy()
      return { ...output, body }
    })
    stream = answer.body
    const size = sizeOf(answer)
    if (size === undefined)
      throw failure(context, 'unsupported', `the answer does not tell the size of ${key}`)
    const interval = resolveRange(range, size)
    if (interval === undefined)
      throw failure(context, 'range-not-satisfiable', `no byte of ${key} (${size}) is in the range`)
    const length = interval.end - interval.start
    if (range !== undefined && !isInterval(answer, interval.start, length))
      throw failure(context, 'unsupported', `the service gave other bytes of ${key} than were asked for`)
    return { info: infoOf(key, size, answer), body: bodyOf(stream, length) }
  } catch (error) {
    release()
    throw error
  }

  function bodyOf(from: Readable, length: number): BlobContent['body'] {
    const { timeoutMs } = connection.settings
    reader = new StreamReader(from, {
      signal,
      limitMs: timeoutMs,
      onLimit: () => failure(context, 'timeout', `no further byte of ${key} within ${timeoutMs} ms`),
    })
    left = length
    return createBody({
      async next() {
        const chunk = await nextOf(reader!)
        left = left! - (chunk?.length ?? 0)
        if (left < 0)
          throw failure(context, 'unavailable', `the answer has more bytes of ${key} than it says`)
        if (chunk === undefined && left > 0)
          throw failure(context, 'unavailable', `the body of ${key} ended ${left} bytes early`)
        return chunk
      },
      close: async () => release(),
    })
  }

  async function nextOf(from: StreamReader): Promise<Uint8Array | undefined> {
    try {
      return await from.next()
    } catch (error) {
      signal?.throwIfAborted()
      throw translateError(error, context)
    }
  }
}

function rangeHeader({ offset, length, suffix }: ByteRange): string {
  if (suffix !== undefined) return `bytes=-${suffix}`
  return length === undefined ? `bytes=${offset}-` : `bytes=${offset}-${offset + length - 1}`
}

interface Sizes {
  readonly ContentRange?: string | undefined
  readonly ContentLength?: number | undefined
}

/** Of the whole object. */
function sizeOf({ ContentRange, ContentLength }: Sizes): number | undefined {
  if (ContentRange === undefined) return ContentLength
  const total = /\/(\d+)$/.exec(ContentRange)?.[1]
  return total === undefined ? undefined : Number(total)
}

/** Whether the answer is that part. A service may give the whole without saying so when the range is the whole. */
function isInterval({ ContentRange, ContentLength }: Sizes, start: number, length: number): boolean {
  const first = /^bytes (\d+)-/.exec(ContentRange ?? 'bytes 0-')?.[1]
  return Number(first) === start && ContentLength === length
}
