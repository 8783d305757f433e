import {
  type BlobContent,
  type BlobStore,
  discardBody,
  pauseRandomly,
  readResumable,
  StorageError,
} from '@sqlstream/storage'
import type { AbortOptions } from './replica.ts'

const MOST_LOOKS = 6

/** An object of a listing. */
export interface Listed {
  readonly key: string
  /** Bytes, as listed; left out if nobody looked. */
  readonly size?: number
}

/**
 * A whole object, resumed by range when the connection breaks. Some stores show only the beginning of an object for a moment after
 * its upload (T28): one that is shorter than it was listed is asked for again, a few times.
 *
 * Throws StorageError `unavailable` if it stays short; the store's errors.
 */
export async function readWhole(
  store: BlobStore,
  { key, size = 0 }: Listed,
  { signal }: AbortOptions = {},
): Promise<BlobContent> {
  for (let look = 1; ; look++) {
    const content = await readResumable(store, key, { signal })
    const seen = content.info.size
    if (seen >= size) return content
    await discardBody(content.body)
    if (look === MOST_LOOKS) {
      throw new StorageError(`${key} has ${seen} of the ${size} bytes that were listed`, {
        code: 'unavailable',
        driver: store.driver,
        operation: 'get',
        key,
      })
    }
    await pauseRandomly(look + 1, signal)
  }
}
