import { pauseRandomly } from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { API, apiNumber, failure } from './nats-errors.ts'
import { newestVersion } from './version.ts'
import { removeChunks } from './write-object.ts'

/** What the server says of a sequence that no message has. */
const GONE: readonly number[] = [API.messageNotFound, API.sequenceNotFound, API.messageDeleteFailed]
/** How often an object may be replaced between a look and its removal. */
const MAX_RACES = 16

/**
 * Deletes an object: its meta message by its sequence, which hits this version or nothing, then its chunks. Other clients leave
 * a tombstone instead; of millions of files those would make each listing longer for ever.
 */
export async function deleteObject(
  bucket: Bucket,
  context: RequestContext & { readonly key: string },
): Promise<void> {
  for (let n = 1; ; n++) {
    const version = await newestVersion(bucket, context)
    if (version === undefined) return
    const isGone = await bucket.repeated(context, async () => {
      try {
        return await bucket.jsm.streams.deleteMessage(bucket.stream, version.seq, false)
      } catch (error) {
        if (GONE.includes(apiNumber(error) ?? 0)) return false
        throw error
      }
    })
    // Also when it was another's doing: of two who remove the same chunks one finds none.
    await removeChunks(bucket, context, version.meta.nuid)
    if (isGone) return
    if (n === MAX_RACES) {
      throw failure(
        context,
        'unavailable',
        `${context.key} is replaced again and again, or cannot be removed`,
      )
    }
    await pauseRandomly(2, context.signal)
  }
}
