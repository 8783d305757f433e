import {
  type BlobBody,
  type BlobInfo,
  isStorageError,
  type PutOptions,
  pauseRandomly,
  retryTransient,
} from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { apiNumber, failure } from './nats-errors.ts'
import { infoOf, isThere, newestVersion, type Version } from './version.ts'
import { publishMeta, removeChunks, writeChunks } from './write-object.ts'

/** How often another writer may come between a look at the newest version and our own. */
const MAX_RACES = 16
/** How often an answer may get lost. */
const MAX_LOST = 4

/**
 * Puts an object: its chunks, then its meta message, under the condition that nothing came between. So of all writers each knows
 * whom it replaced, and removes that one's chunks. After a lost answer the newest version tells whose it is.
 */
export async function putObject(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
  body: BlobBody,
  options: PutOptions,
): Promise<BlobInfo> {
  const { signal } = context
  let old = await newestVersion(bucket, context)
  check(options, old, context)
  // Chunks are not sent again one by one: what an answer that is lost means for their order nobody knows.
  const meta = await retryTransient(() => writeChunks(bucket, context, body, options.timestamp), { signal })
  let isDoubtful = false
  let races = 0
  let lost = 0
  try {
    for (;;) {
      try {
        const seq = await publishMeta(bucket, context, meta, old?.seq ?? 0)
        return await settle(bucket, context, { seq, meta }, old)
      } catch (error) {
        // A refusal of the server is certain; anything else may mean that it did it.
        if (apiNumber(error) === undefined) isDoubtful = true
        signal?.throwIfAborted()
        const isRace = isStorageError(error, 'precondition-failed')
        if (!isRace && !(isStorageError(error) && error.transient)) throw error
        if (isRace ? ++races > MAX_RACES : ++lost > MAX_LOST) throw exhausted(context, error)
      }
      const current = await newestVersion(bucket, context)
      if (current?.meta.nuid === meta.nuid) return await settle(bucket, context, current, old)
      check(options, current, context)
      old = current
      await pauseRandomly(2, signal)
    }
  } catch (error) {
    // A visible object must keep its chunks, so they go only when no meta message can name them (any more).
    if (!isDoubtful || isStorageError(error, 'precondition-failed'))
      await removeChunks(bucket, context, meta.nuid)
    throw error
  }
}

/** Without a condition it is no answer that another writer was quicker. */
function exhausted(context: RequestContext, error: unknown): unknown {
  if (!isStorageError(error, 'precondition-failed')) return error
  return failure(context, 'unavailable', `${context.key} was replaced again and again by others`)
}

async function settle(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
  version: Version,
  old: Version | undefined,
): Promise<BlobInfo> {
  if (old !== undefined && old.meta.nuid !== version.meta.nuid)
    await removeChunks(bucket, context, old.meta.nuid)
  return infoOf(version)
}

/** @throws StorageError 'precondition-failed' */
function check({ precondition }: PutOptions, version: Version | undefined, context: RequestContext): void {
  if (precondition?.kind === 'absent' && isThere(version)) {
    throw failure(context, 'precondition-failed', `${context.key} exists`)
  }
  if (precondition?.kind === 'match' && !(isThere(version) && String(version.seq) === precondition.etag)) {
    throw failure(context, 'precondition-failed', `${context.key} is not version ${precondition.etag}`)
  }
}
