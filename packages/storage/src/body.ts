import type { AbortOptions, BlobBody, BlobStream } from './blob-store.ts'

/** Where a body comes from, for `createBody`. */
export interface BodySource {
  /** The next chunk, undefined at the end. Never called again after it ended, failed or was closed. */
  next(): Promise<Uint8Array | undefined>
  /** As in `BlobStream`; then the body has it too. `target` has room for at least 1 byte. The same rule after an end. */
  readInto?(target: Uint8Array): Promise<number>
  /** Releases the socket or descriptor. Called exactly once, whether or not anything was read. */
  close(): Promise<void>
}

/** A body that is its own iterator. */
export interface Body extends BlobStream, AsyncIterableIterator<Uint8Array> {
  [Symbol.asyncIterator](): Body
}

/**
 * Makes the body of a `BlobContent`. Use this rather than an async generator: `return()` on a generator
 * that was never started skips its `finally`, so an unread body would leak what it holds.
 */
export function createBody(source: BodySource): Body {
  let closed = false
  async function close(): Promise<void> {
    if (closed) return
    closed = true
    await source.close()
  }
  async function closingOnFailure<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      await close()
      throw error
    }
  }
  const body: Body = {
    async next(): Promise<IteratorResult<Uint8Array>> {
      if (closed) return { done: true, value: undefined }
      const chunk = await closingOnFailure(() => source.next())
      if (chunk !== undefined) return { done: false, value: chunk }
      await close()
      return { done: true, value: undefined }
    },
    async return(): Promise<IteratorResult<Uint8Array>> {
      await close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator](): Body {
      return this
    },
  }
  if (source.readInto !== undefined) {
    body.readInto = async (target) => {
      if (target.length === 0) throw new RangeError('no room to read into')
      if (closed) return 0
      const size = await closingOnFailure(() => source.readInto!(target))
      if (size === 0) await close()
      return size
    }
  }
  return body
}

/**
 * Reads a body chunk by chunk or into memory, whatever the body itself can do: where it has no `readInto`, chunks
 * are copied.
 */
export class BodyReader {
  readonly #body: BlobStream
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array | undefined

  constructor(body: BlobStream) {
    this.#body = body
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** Bytes that came and did not fit into the last target. */
  get pending(): number {
    return this.#rest?.length ?? 0
  }

  /** The next chunk, undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const rest = this.#rest
    if (rest !== undefined) {
      this.#rest = undefined
      return rest
    }
    const step = await this.#chunks.next()
    return step.done === true ? undefined : step.value
  }

  /** See `BlobStream`. */
  async readInto(target: Uint8Array): Promise<number> {
    if (target.length === 0) throw new RangeError('no room to read into')
    if (this.#rest === undefined && this.#body.readInto !== undefined) return this.#body.readInto(target)
    let chunk = await this.next()
    while (chunk?.length === 0) chunk = await this.next()
    if (chunk === undefined) return 0
    const size = Math.min(chunk.length, target.length)
    target.set(chunk.subarray(0, size))
    if (size < chunk.length) this.#rest = chunk.subarray(size)
    return size
  }

  /** Releases the body. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }
}

/** What `relayBody` tells of a body on its way. */
export interface RelayHooks {
  /** Bytes that go to the reader now: valid only during the call, where they are the reader's memory. */
  readonly onChunk?: (chunk: Uint8Array) => void
  readonly onError?: (error: unknown) => void
  /** After the body was released, however it ended; exactly once. */
  readonly onClose?: () => void
}

/** Hands a body on and tells what happens to it: for wrappers of stores. Has `readInto` if the body does. */
export function relayBody(body: BlobStream, hooks: RelayHooks): Body {
  const reading = body[Symbol.asyncIterator]()
  async function tellingFailure<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      hooks.onError?.(error)
      throw error
    }
  }
  const source: BodySource = {
    async next() {
      const step = await tellingFailure(() => reading.next())
      if (step.done === true) return undefined
      hooks.onChunk?.(step.value)
      return step.value
    },
    async close() {
      try {
        await reading.return?.()
      } finally {
        hooks.onClose?.()
      }
    },
  }
  if (body.readInto !== undefined) {
    source.readInto = async (target) => {
      const size = await tellingFailure(() => body.readInto!(target))
      if (size > 0) hooks.onChunk?.(target.subarray(0, size))
      return size
    }
  }
  return createBody(source)
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
export function concatBytes(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
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
