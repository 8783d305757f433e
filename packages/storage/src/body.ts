import type { AbortOptions, BlobBody } from './blob-store.ts'

/** Where a body comes from, for `createBody`. */
export interface BodySource {
  /** The next chunk, undefined at the end. Never called again after it ended, failed or was closed. */
  next(): Promise<Uint8Array | undefined>
  /** Releases the socket or descriptor. Called exactly once, whether or not anything was read. */
  close(): Promise<void>
}

/**
 * Makes the body of a `BlobContent`. Use this rather than an async generator: `return()` on a generator
 * that was never started skips its `finally`, so an unread body would leak what it holds.
 */
export function createBody(source: BodySource): AsyncIterableIterator<Uint8Array> {
  let closed = false
  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await source.close()
  }
  return {
    async next(): Promise<IteratorResult<Uint8Array>> {
      if (closed) return { done: true, value: undefined }
      let chunk: Uint8Array | undefined
      try {
        chunk = await source.next()
      } catch (error) {
        await close()
        throw error
      }
      if (chunk !== undefined) return { done: false, value: chunk }
      await close()
      return { done: true, value: undefined }
    },
    async return(): Promise<IteratorResult<Uint8Array>> {
      await close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
      return this
    },
  }
}

/** What `relayBody` tells of a body on its way. */
export interface RelayHooks {
  readonly onChunk?: (chunk: Uint8Array) => void
  readonly onError?: (error: unknown) => void
  /** After the body was released, however it ended; exactly once. */
  readonly onClose?: () => void
}

/** Hands a body on and tells what happens to it: for wrappers of stores. */
export function relayBody(body: AsyncIterable<Uint8Array>, hooks: RelayHooks): AsyncIterable<Uint8Array> {
  const reading = body[Symbol.asyncIterator]()
  return createBody({
    async next() {
      try {
        const step = await reading.next()
        if (step.done === true) return undefined
        hooks.onChunk?.(step.value)
        return step.value
      } catch (error) {
        hooks.onError?.(error)
        throw error
      }
    },
    async close() {
      try {
        await reading.return?.()
      } finally {
        hooks.onClose?.()
      }
    },
  })
}

/** Releases a body that will not be read (further). */
export async function discardBody(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}

/**
 * Reads a body for an upload: one chunk for bytes, else a new reading of the replayable body. An abort
 * ends a reading that hangs, and an early end releases it.
 * @throws RangeError when the body yields more or fewer bytes than its `size`
 */
export async function* readBody(
  body: BlobBody,
  options: AbortOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const { signal } = options
  signal?.throwIfAborted()
  if (body instanceof Uint8Array) {
    if (body.length > 0) yield body
    return
  }
  const { size } = body
  const reading = body.open()[Symbol.asyncIterator]()
  let read = 0
  let finished = false
  let waiting = false
  try {
    for (;;) {
      waiting = true
      const step = await abortable(reading.next(), signal)
      waiting = false
      if (step.done === true) break
      read += step.value.length
      if (size !== undefined && read > size) throw new RangeError(`body has more than its ${size} bytes`)
      yield step.value
    }
    finished = true
    if (size !== undefined && read < size) throw new RangeError(`body ended at ${read} of its ${size} bytes`)
  } finally {
    if (!finished) {
      const released = reading.return?.()
      // A generator that hangs in next() queues return() behind it: nobody may wait for that.
      if (waiting) released?.catch(() => {})
      else await released
    }
  }
}

/** All bytes of a body in one array of their own. */
export async function collectBody(body: BlobBody, options?: AbortOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readBody(body, options)) {
    // The source may reuse its buffer for the next chunk.
    chunks.push(chunk.slice())
    size += chunk.length
  }
  return concatBytes(chunks, size)
}

/** Joins chunks into one new array of `size` bytes, which must be their sum. */
export function concatBytes(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

/** Settles like the promise, or rejects with the signal's reason as soon as it aborts. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  // Its late failure must not count as unhandled once the abort has won.
  promise.catch(() => {})
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
