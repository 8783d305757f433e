import type { BlobContent, BlobStore, GetOptions } from './blob-store.ts'
import { BodyReader, createBody, discardBody } from './body.ts'
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
  const { range, signal } = options
  return await resumable(store, key, options, await store.get(key, { range, signal }))
}

async function resumable(
  store: BlobStore,
  key: string,
  { range, signal, maxResumes = 4 }: ResumeOptions,
  first: BlobContent,
): Promise<BlobContent> {
  const { info } = first
  const interval = resolveRange(range, info.size)
  if (interval === undefined) {
    await discardBody(first.body)
    throw failure('range-not-satisfiable', `no byte of ${key} (${info.size}) is in the range`)
  }
  let position = interval.start
  let fruitless = 0
  let current: BodyReader | undefined = new BodyReader(first.body)

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
      current = new BodyReader(again.body)
    } catch (error) {
      await resume(error)
    }
  }

  /** Lets `take` bring bytes, from further bodies as needed, and counts them. 0 when all were read. */
  async function advance(take: (source: BodyReader) => Promise<number | undefined>): Promise<number> {
    while (position < interval!.end) {
      let cut: unknown
      try {
        const size = await take(current!)
        if (size === 0) continue
        if (size !== undefined) {
          position += size
          fruitless = 0
          if (position + current!.pending > interval!.end)
            throw failure('unknown', `${key} has more bytes than it says`)
          return size
        }
        cut = failure('unavailable', `body of ${key} ended at byte ${position} of ${interval!.end}`)
      } catch (error) {
        cut = error
      }
      await resume(cut)
    }
    return 0
  }

  const body = createBody({
    async next() {
      let chunk: Uint8Array | undefined
      const size = await advance(async (source) => {
        chunk = await source.next()
        return chunk?.length
      })
      return size === 0 ? undefined : chunk
    },
    readInto: (target) => advance(async (source) => (await source.readInto(target)) || undefined),
    async close() {
      await current?.close()
    },
  })
  return { info, body }
}

/** A whole object, or a range of it, in one array: a new one, or that of `room`. Resumes like `readResumable`. */
export async function getBytes(
  store: BlobStore,
  key: string,
  options: ResumeOptions = {},
): Promise<Uint8Array> {
  const { range, signal, room } = options
  const first = await store.get(key, { range, signal, room })
  if (first.body.whole !== undefined) return first.body.whole
  const { info, body } = await resumable(store, key, options, first)
  const { start, end } = resolveRange(range, info.size)!
  const bytes = room?.(end - start) ?? new Uint8Array(end - start)
  const reader = new BodyReader(body)
  for (let at = 0; at < bytes.length; ) at += await reader.readInto(bytes.subarray(at))
  await reader.close()
  return bytes
}

/** A dropped connection surfaces as any error at all, so only what a store knows to be final ends the reading. */
function mayPass(error: unknown): boolean {
  return !isStorageError(error) || error.transient
}
