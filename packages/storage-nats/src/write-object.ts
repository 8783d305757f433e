import { createHash } from 'node:crypto'
import { headers, type MsgHdrs, nuid } from '@nats-io/transport-node'
import { abortable, type BlobBody, bodyParts, rfc3339 } from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { failure } from './nats-errors.ts'
import type { Meta } from './version.ts'

/** Chunks on their way at once. They arrive in order: it is one connection. */
const PARALLEL_CHUNKS = 8

/** Which chunk of its object a message is, from 0. Other clients do not look at it. */
export const CHUNK_HEADER = 'Sqlstream-Chunk'
/** Name of the metadata with the sequence of the first chunk: without it the server has to search. */
export const FIRST_SEQ = 'sqlstream-first-seq'

/**
 * Sends the chunks of a new version, which nobody sees before its meta message.
 * @returns what that has to say
 */
export async function writeChunks(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
  body: BlobBody,
  timestamp: Date | undefined,
): Promise<Meta> {
  const id = nuid.next()
  const subject = bucket.chunkSubject(id)
  const hash = createHash('sha256')
  const stop = new AbortController()
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([context.signal, stop.signal])
  const running = new Set<Promise<void>>()
  const seqs: number[] = []
  let chunks = 0
  let size = 0
  try {
    for await (const chunk of bodyParts(body, { signal, sizeOf: () => bucket.chunkSize })) {
      hash.update(chunk)
      const numbered = headers()
      numbered.set(CHUNK_HEADER, String(chunks))
      const n = chunks
      const task = publish(bucket, { ...context, signal }, subject, chunk, numbered)
        .then((seq) => {
          seqs[n] = seq
        })
        .catch((error: unknown) => stop.abort(error))
        .finally(() => running.delete(task))
      running.add(task)
      chunks += 1
      size += chunk.length
      if (running.size >= PARALLEL_CHUNKS) await abortable(Promise.race(running), signal)
    }
    await Promise.all(running)
    signal.throwIfAborted()
    const stray = seqs.findIndex((seq, n) => n > 0 && seq <= seqs[n - 1]!)
    if (stray !== -1)
      throw failure(context, 'unavailable', `chunk ${stray} of ${context.key} came out of order`)
  } catch (error) {
    stop.abort(error)
    await Promise.all(running)
    const removing = removeChunks(bucket, context, id)
    // Who aborts does not wait.
    if (context.signal?.aborted !== true) await removing
    throw error
  }
  return {
    name: context.key,
    bucket: bucket.name,
    nuid: id,
    size,
    chunks,
    mtime: (timestamp ?? new Date()).toISOString(),
    digest: `SHA-256=${hash.digest('base64').replaceAll('+', '-').replaceAll('/', '_')}`,
    options: { max_chunk_size: bucket.chunkSize },
    ...(seqs[0] === undefined ? {} : { metadata: { [FIRST_SEQ]: String(seqs[0]) } }),
    ...(timestamp === undefined ? {} : { headers: { 'Litestream-Timestamp': [rfc3339(timestamp)] } }),
  }
}

/** Makes a version the newest one. @returns its sequence */
export async function publishMeta(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
  meta: Meta,
  expectedSeq: number,
): Promise<number> {
  const conditions = headers()
  conditions.set('Nats-Rollup', 'sub')
  conditions.set('Nats-Expected-Last-Subject-Sequence', String(expectedSeq))
  const text = new TextEncoder().encode(JSON.stringify(meta))
  return publish(bucket, context, bucket.metaSubject(context.key), text, conditions)
}

/** The chunks of a version that nobody can reach. What cannot be removed now is only space. */
export async function removeChunks(
  bucket: Bucket,
  { operation, key }: RequestContext,
  id: string,
): Promise<void> {
  const purge = () => bucket.jsm.streams.purge(bucket.stream, { filter: bucket.chunkSubject(id) })
  await bucket.once({ operation, key }, purge).catch(() => {})
}

async function publish(
  bucket: Bucket,
  context: RequestContext,
  subject: string,
  data: Uint8Array,
  hdrs: MsgHdrs,
): Promise<number> {
  const options = { timeout: bucket.timeoutMs, headers: hdrs }
  const { seq } = await bucket.once(context, () => bucket.js.publish(subject, data, options))
  return seq
}
