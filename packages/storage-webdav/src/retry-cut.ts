import { isStorageError, type RetryOptions, retryTransient } from '@sqlstream/storage'

/** `retryTransient` that gives up on a server that hangs: what hung once would hang again, and a call must end. */
export async function retryCut<T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const outcome = await retryTransient(async (): Promise<{ value: T } | { hung: unknown }> => {
    try {
      return { value: await call() }
    } catch (error) {
      if (isStorageError(error, 'timeout')) return { hung: error }
      throw error
    }
  }, options)
  if ('hung' in outcome) throw outcome.hung
  return outcome.value
}
