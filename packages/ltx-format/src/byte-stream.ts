import { LTXError } from './errors.ts'

/** Any source of bytes in order: a file stream, an object body, a generator. A chunk is used before the next is pulled. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /**
   * Optional, for sources that can spare a copy: puts the next bytes at the beginning of `target` (at least 1 byte) and
   * resolves with their number, which may be less than fits; 0 is the end. It and the iterator go through the same bytes,
   * so a reader may change between them, but calls never overlap. Until the promise settles the source may write to
   * `target`, even if its reader has given up.
   */
  readInto?(target: Uint8Array): Promise<number>
}

const NOTHING: Uint8Array = new Uint8Array(0)
/** For less than this a chunk is pulled and copied: a call for each few bytes costs more. */
const DIRECT_SIZE = 64 * 1024

/** Reads a stream in the portions that a caller wants, and gives it back when done. */
export class StreamReader {
  readonly #source: ByteStream
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #signal: AbortSignal | undefined
  #chunk: Uint8Array = NOTHING
  #at = 0
  #done = false
  /** A pull was begun and its answer has not come. */
  #pulling = false
  /** Bytes handed out so far. */
  position = 0

  constructor(source: ByteStream, signal: AbortSignal | undefined) {
    this.#source = source
    this.#iterator = source[Symbol.asyncIterator]()
    this.#signal = signal
  }

  /**
   * Brings bytes to target[from, to) until it is full or the stream ends; returns where it stopped. After an abort the source
   * may still write there.
   */
  async fill(target: Uint8Array, from: number, to: number): Promise<number> {
    let at = from
    while (at < to) {
      const isPending = this.#at < this.#chunk.byteLength
      if (!isPending && to - at >= DIRECT_SIZE && this.#source.readInto !== undefined) {
        const size = await this.#readInto(target.subarray(at, to))
        if (size === 0) break
        at += size
      } else {
        if (!(await this.#pull())) break
        const size = Math.min(to - at, this.#chunk.byteLength - this.#at)
        target.set(this.#chunk.subarray(this.#at, this.#at + size), at)
        this.#advance(size)
        at += size
      }
    }
    return at
  }

  /** Exactly `size` bytes. Throws LTXError 'truncated'. */
  async exact(size: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(size)
    const got = await this.fill(bytes, 0, size)
    if (got < size)
      throw new LTXError('truncated', `${what} has ${got} of ${size} bytes`, { offset: this.position })
    return bytes
  }

  /** Between 1 and `most` bytes, valid until the next call; none at the end. */
  async some(most: number): Promise<Uint8Array> {
    if (!(await this.#pull())) return NOTHING
    const bytes = this.#chunk.subarray(this.#at, this.#at + most)
    this.#advance(bytes.byteLength)
    return bytes
  }

  /** Puts a copy of bytes back in front of the rest. */
  unread(bytes: Uint8Array): void {
    const rest = this.#chunk.subarray(this.#at)
    const joined = new Uint8Array(bytes.byteLength + rest.byteLength)
    joined.set(bytes)
    joined.set(rest, bytes.byteLength)
    this.#chunk = joined
    this.#at = 0
    this.position -= bytes.byteLength
  }

  /** Lets the source go. Harmless when it has ended. */
  async close(): Promise<void> {
    if (this.#done) return
    this.#done = true
    this.#chunk = NOTHING
    this.#at = 0
    const returned = this.#iterator.return?.()
    // A generator answers return only after the pull that it hangs in, and that one was given up.
    if (!this.#pulling) await returned
    else returned?.catch(() => {})
  }

  #advance(size: number): void {
    this.#at += size
    this.position += size
  }

  /** Bytes that came straight into `target`, 0 at the end. Only while no chunk is pending. */
  async #readInto(target: Uint8Array): Promise<number> {
    this.#signal?.throwIfAborted()
    if (this.#done) return 0
    const size = await this.#pulled(this.#source.readInto!(target))
    if (!(Number.isInteger(size) && size >= 0 && size <= target.byteLength)) {
      throw new RangeError(`source brought ${size} bytes for ${target.byteLength}`)
    }
    if (size === 0) this.#done = true
    this.position += size
    return size
  }

  /** True if the current chunk has bytes left, after pulling chunks as needed. */
  async #pull(): Promise<boolean> {
    this.#signal?.throwIfAborted()
    while (this.#at === this.#chunk.byteLength) {
      if (this.#done) return false
      const result = await this.#pulled(this.#iterator.next())
      if (result.done) {
        this.#done = true
        return false
      }
      this.#chunk = result.value
      this.#at = 0
    }
    return true
  }

  /** What the source answers, unless the signal aborts before. */
  async #pulled<T>(answer: Promise<T>): Promise<T> {
    this.#pulling = true
    const result = await unlessAborted(answer, this.#signal)
    this.#pulling = false
    return result
  }
}

/** The promise, or the signal's reason as soon as it aborts: a source may hang and know nothing of the signal. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
