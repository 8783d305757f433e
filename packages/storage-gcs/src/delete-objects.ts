import { type AbortOptions, type RetryOptions, retryTransient } from '@sqlstream/storage'
import type { GCSClient } from './gcs-client.ts'
import { type CallContext, isMissingBucket, refusalOf, refused } from './gcs-errors.ts'

/** Requests at once: the service has no call for many keys. */
const LANES = 16
const NOT_FOUND = 404

/** Deletes one by one, several at a time. An error ends it; what runs then is waited for. */
export async function deleteObjects(
  client: GCSClient,
  keys: readonly string[],
  { signal }: AbortOptions,
  retry: RetryOptions,
): Promise<void> {
  const left = [...new Set(keys)].values()
  let failed = false
  const lane = async (): Promise<void> => {
    for (const key of left) {
      if (failed) return
      try {
        await retryTransient(() => deleteObject(client, key, signal), { ...retry, signal })
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(LANES, keys.length) }, lane))
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
}

async function deleteObject(client: GCSClient, key: string, signal: AbortSignal | undefined): Promise<void> {
  const context: CallContext = { operation: 'delete', key }
  const { status, text } = await client.call({
    method: 'DELETE',
    path: client.objectPath(key),
    accepts: [NOT_FOUND],
    context,
    signal,
  })
  const refusal = refusalOf(status, text)
  if (isMissingBucket(refusal)) throw refused(refusal, context, client.bucket)
}
