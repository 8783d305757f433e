import type { BlobBody, BlobContent, BlobInfo } from './blob-store.ts'
import { isStorageError, StorageError } from './errors.ts'
import { holdsBody } from './holds-body.ts'
import { pauseRandomly, type RetryOptions } from './retry.ts'

/** A conditional put, one request at a time. */
export interface DecisivePut {
  readonly body: BlobBody
  /** Sends it once, with the condition and without any retry below. Rejects with a StorageError. */
  send(): Promise<BlobInfo>
  /** Reads what is there now; rejects with 'not-found' if nothing is. */
  read(): Promise<BlobContent>
}

/**
 * A conditional put that writes an id of its own with the object, as metadata: better than a look at the bytes. Every refusal is
 * checked then, for a proxy may have sent the request twice without a sign of it.
 */
export interface IdentifiedPut {
  /** As in `DecisivePut`. The id is the same each time. */
  send(): Promise<BlobInfo>
  /**
   * The object that is there now, if it has the id of this put. May reject with 'precondition-failed' where what is there
   * rules out that the condition still holds.
   */
  find(): Promise<BlobInfo | undefined>
}

/**
 * A conditional put that knows what became of it. Where an answer is lost, the request may have been carried out; sent again,
 * it fails on our own object. So after any doubt a refusal is checked by reading: our id, or else these very bytes, mean success. A
 * body that others might write too (without an id of the writer in it) makes the answer of its bytes worthless.
 * @throws StorageError 'precondition-failed': it is certain that the object is not ours
 * @throws StorageError transient: nobody can tell; repeat the whole call
 */
export async function putDecisively(
  put: DecisivePut | IdentifiedPut,
  options: RetryOptions = {},
): Promise<BlobInfo> {
  const { signal, attempts = 4, pause = pauseRandomly } = options
  let doubtful = false
  for (let n = 1; ; n++) {
    try {
      return await put.send()
    } catch (error) {
      signal?.throwIfAborted()
      const refused = isStorageError(error, 'precondition-failed')
      if (refused && !doubtful && !('find' in put)) throw error
      if (!refused && !(isStorageError(error) && error.transient)) throw error
      if (refused || n >= attempts) {
        const found = await readBack(put, error, { signal, doubtful: doubtful || !refused })
        if (found !== undefined) return found
        throw error
      }
      doubtful = true
    }
    await pause(n + 1, signal)
  }
}

/**
 * The object that is there, if it holds our bytes.
 * @throws StorageError transient when that cannot be found out
 */
async function readBack(
  put: DecisivePut | IdentifiedPut,
  failure: StorageError,
  { signal, doubtful }: { readonly signal: AbortSignal | undefined; readonly doubtful: boolean },
): Promise<BlobInfo | undefined> {
  try {
    if ('find' in put) return await put.find()
    const content = await put.read()
    return (await holdsBody(content, put.body)) ? content.info : undefined
  } catch (cause) {
    signal?.throwIfAborted()
    if (isStorageError(cause, 'precondition-failed')) throw cause
    if (isStorageError(cause, 'not-found') || !doubtful) return undefined
    if (failure.transient) throw failure
    const { driver, operation, key } = failure
    const message = `${key} was written or refused: it cannot be read to find out`
    throw new StorageError(message, { code: 'unavailable', driver, operation, key, cause })
  }
}
