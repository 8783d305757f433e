import { type AbortOptions, type RetryOptions, retryTransient } from '@sqlstream/storage'
import type { GCSClient } from './gcs-client.ts'
import { type CallContext, failure, missing, missingBucketHint, refusalOf, refused } from './gcs-errors.ts'

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
  let isUnclear = false
  const lane = async (): Promise<void> => {
    for (const key of left) {
      if (failed) return
      try {
        const isSure = await retryTransient(() => deleteObject(client, key, signal), { ...retry, signal })
        isUnclear ||= !isSure
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(LANES, keys.length) }, lane))
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
  if (isUnclear) await retryTransient(() => checkBucket(client, signal), { ...retry, signal })
}

/** @returns false when nobody can tell whether the object or the bucket was missing */
async function deleteObject(
  client: GCSClient,
  key: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const context: CallContext = { operation: 'delete', key }
  const { status, text } = await client.call({
    method: 'DELETE',
    path: client.objectPath(key),
    accepts: [NOT_FOUND],
    context,
    signal,
  })
  const refusal = refusalOf(status, text)
  if (missing(refusal) === 'bucket') throw refused(refusal, context, client.bucket)
  return missing(refusal) !== 'unclear'
}

/** By a listing: who may delete objects may list them, but seldom see the bucket itself. */
async function checkBucket(client: GCSClient, signal: AbortSignal | undefined): Promise<void> {
  const query = { maxResults: '1', fields: 'nextPageToken' }
  const context: CallContext = { operation: 'delete' }
  const { status } = await client.call({
    method: 'GET',
    path: client.objectPath(),
    query,
    accepts: [NOT_FOUND],
    context,
    signal,
  })
  if (status === NOT_FOUND) {
    throw failure(
      context,
      'not-found',
      `delete: there is no bucket ${client.bucket}`,
      missingBucketHint(client.bucket),
    )
  }
}
