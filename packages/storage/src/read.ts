import type { BlobContent, BlobStore, GetOptions } from './blob-store.ts'
import { concatBytes, createBody, discardBody } from './body.ts'
import { isStorageError, StorageError, type StorageErrorCode } from './errors.ts'
import { resolveRange } from './range.ts'

export interface ResumeOptions extends GetOptions {
  /** How often in a row a body may be cut without one new byte before the reading fails. Default: 4. */
  readonly maxResumes?: number | undefined
}

/**
 * Like `store.get`, with a body that goes on by a ranged request when it is cut: when it fails for a
 * reason that may pass, or ends before the promised length. Each new answer must have the ETag of the
 * first. One request when nothing is cut.
 * @throws StorageError 'precondition-failed' when the object was replaced while it was read
 * @throws StorageError the last failure, or 'unavailable', when `maxResumes` brought nothing
 */
export async function readResumable(
  store: BlobStore,
  key: string,
  options: ResumeOptions = {},
): Promise<BlobContent> {
  const { range, signal, maxResumes = 4 } = options
  const first = await store.get(key, { range, signal })
  const { info } = first
  const interval = resolveRange(range, info.size)
  if (interval === undefined) {
    await discardBody(first.body)
    throw failure('range-not-satisfiable', `no byte of ${key} (${info.size}) is in the range`)
  }
  let position = interval.start
  let fruitless = 0
  let current: AsyncIterator<Uint8Array> | undefined = first.body[Symbol.asyncIterator]()

  function failure(code: StorageErrorCode, message: string): StorageError {
    return new StorageError(message, { code, driver: store.driver, operation: 'get', key })
  }

  async function resume(cause: unknown): Promise<void> {
    signal?.throwIfAborted()
    if (!mayPass(cause)) throw cause
    fruitless += 1
    if (fruitless > maxResumes) throw cause
    current = undefined
    try {
      const rest = { offset: position, length: interval!.end - position }
      const again = await store.get(key, { range: rest, signal })
      if (again.info.etag !== info.etag) {
        await discardBody(again.body)
        const versions = `${info.etag} is now ${again.info.etag}`
        throw failure('precondition-failed', `${key} was replaced while it was read (${versions})`)
      }
      current = again.body[Symbol.asyncIterator]()
    } catch (error) {
      await resume(error)
    }
  }

  const body = createBody({
    async next() {
      while (position < interval.end) {
        let cut: unknown
        try {
          const step = await current!.next()
          if (step.done !== true) {
            if (step.value.length === 0) continue
            position += step.value.length
            fruitless = 0
            if (position > interval.end) throw failure('unknown', `${key} has more bytes than it says`)
            return step.value
          }
          cut = failure('unavailable', `body of ${key} ended at byte ${position} of ${interval.end}`)
        } catch (error) {
          cut = error
        }
        await resume(cut)
      }
      return undefined
    },
    async close() {
      await current?.return?.()
    },
  })
  return { info, body }
}

/** A whole object, or a range of it, in one new array. Resumes like `readResumable`. */
export async function getBytes(
  store: BlobStore,
  key: string,
  options: ResumeOptions = {},
): Promise<Uint8Array> {
  const { body } = await readResumable(store, key, options)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
  }
  return concatBytes(chunks, size)
}

/** A dropped connection surfaces as any error at all, so only what a store knows to be final ends the reading. */
function mayPass(error: unknown): boolean {
  return !isStorageError(error) || error.transient
}
