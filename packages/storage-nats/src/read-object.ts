import { createHash } from 'node:crypto'
import { type BlobContent, type ByteInterval, createBody } from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { Chunks } from './chunks.ts'
import { failure } from './nats-errors.ts'
import { infoOf, isThere, newestVersion, type Version } from './version.ts'
import { CHUNK_HEADER, FIRST_SEQ } from './write-object.ts'

/** Chunks asked for at once; so many are in memory. */
const WINDOW = 8

/**
 * The bytes of one version. Its chunks vanish when it is replaced or deleted: then the body fails with 'precondition-failed' or
 * 'not-found'. What is in one chunk is there when this resolves.
 * @param interval within its size, not empty unless it is
 * @throws StorageError as the body does, before its first byte
 */
export async function readVersion(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
  version: Version,
  interval: ByteInterval,
): Promise<BlobContent> {
  const { meta } = version
  const { key } = context
  const subject = bucket.chunkSubject(meta.nuid)
  const isWhole = interval.start === 0 && interval.end === meta.size
  const hash = isWhole ? createHash('sha256') : undefined
  const size = meta.options?.max_chunk_size
  /** Number of the chunk in which the range begins. */
  const wanted = size === undefined ? 0 : Math.floor(interval.start / size)
  const chunks = new Chunks(bucket, context, subject, Number(meta.metadata?.[FIRST_SEQ] ?? 1))
  /** Of the object, where the next chunk begins. */
  let position = 0

  /** How many chunks are worth asking for: one where we may jump. */
  function windowSize(): number {
    if (size === undefined || (position === 0 && wanted > 0)) return 1
    return Math.max(1, Math.min(WINDOW, Math.ceil((interval.end - position) / size)))
  }

  async function nextChunk(): Promise<Uint8Array> {
    const message = await chunks.next(windowSize())
    if (message === undefined) throw await lossOf()
    const index = Number(message.header?.get(CHUNK_HEADER) || Number.NaN)
    // Chunks that we wrote are numbered. Between two of them lie at least as many messages as chunks, so the wanted
    // one is there or later: a jump never goes too far.
    if (size !== undefined && index < wanted) {
      chunks.skipTo(message.seq + (wanted - index))
      position = wanted * size
      return new Uint8Array(0)
    }
    if (size !== undefined && !Number.isNaN(index)) {
      position ||= wanted * size
      if (index * size !== position) throw await lossOf()
    }
    const from = Math.max(0, interval.start - position)
    const bytes = message.data.subarray(from, Math.max(from, interval.end - position))
    position += message.data.length
    hash?.update(message.data)
    return bytes
  }

  async function nextBytes(): Promise<Uint8Array | undefined> {
    context.signal?.throwIfAborted()
    while (position < interval.end) {
      const bytes = await nextChunk()
      if (position > meta.size) throw failure(context, 'unknown', `${key} has more bytes than it says`)
      if (bytes.length > 0) {
        if (position === meta.size && hash !== undefined) checkDigest(hash.digest())
        return bytes
      }
    }
    return undefined
  }

  /** Why a chunk is not there. */
  async function lossOf(): Promise<Error> {
    const current = await newestVersion(bucket, context)
    if (!isThere(current)) return failure(context, 'not-found', `${key} was deleted while it was read`)
    if (current.seq !== version.seq)
      return failure(context, 'precondition-failed', `${key} was replaced while it was read`)
    return failure(context, 'unknown', `the bytes of ${key} from ${position} on are missing in the bucket`)
  }

  function checkDigest(found: Buffer): void {
    const expected = Buffer.from(meta.digest.replace(/^SHA-256=/, ''), 'base64url')
    if (!found.equals(expected))
      throw failure(context, 'unknown', `the bytes of ${key} do not have its digest`)
  }

  let ahead = await nextBytes()
  const body = createBody({
    async next() {
      context.signal?.throwIfAborted()
      const bytes = ahead ?? (await nextBytes())
      ahead = undefined
      return bytes
    },
    close: async () => {},
  })
  return { info: infoOf(version), body }
}
