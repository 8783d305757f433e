/** What is used of a readable stream of Node. */
export interface PullableStream {
  readonly errored?: Error | null | undefined
  on(event: 'readable' | 'error', listener: () => void): unknown
  once(event: 'end' | 'close', listener: () => void): unknown
  off(event: 'readable', listener: () => void): unknown
  read(): unknown
  resume(): unknown
  destroy(): unknown
}

/** What a `StreamReader` goes by. */
export interface StreamReaderOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds to wait for a piece. */
  readonly limitMs: number
  /** The error of a wait that took too long. */
  readonly onLimit: () => Error
}

/**
 * Pulls a stream piece by piece; each wait has a limit and ends with the signal. What is there already costs no timer and no
 * listener: at a gigabyte a second there are many thousands of pieces.
 */
export class StreamReader {
  readonly #stream: PullableStream
  readonly #options: StreamReaderOptions
  #hasEnded = false
  #hasClosed = false
  #wake: (() => void) | undefined
  readonly #onChange = (): void => this.#wake?.()

  constructor(stream: PullableStream, options: StreamReaderOptions) {
    this.#stream = stream
    this.#options = options
    stream.on('readable', this.#onChange)
    stream.on('error', this.#onChange)
    stream.once('end', () => {
      this.#hasEnded = true
      this.#onChange()
    })
    stream.once('close', () => {
      this.#hasClosed = true
      this.#onChange()
    })
    options.signal?.addEventListener('abort', this.#onChange, { once: true })
  }

  /** The next piece, undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#options.signal?.throwIfAborted()
      if (this.#stream.errored) throw this.#stream.errored
      const piece = this.#stream.read() as Uint8Array | null
      if (piece !== null) return piece
      if (this.#hasEnded) return undefined
      if (this.#hasClosed) throw Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
      await this.#change()
    }
  }

  /**
   * Lets go of everything.
   * @param isWhole all bytes have come, so only the end is left to be read, and the connection can serve others then; otherwise it
   *   is closed
   */
  close(isWhole: boolean): void {
    this.#options.signal?.removeEventListener('abort', this.#onChange)
    if (!isWhole) this.#stream.destroy()
    else if (!this.#hasEnded) {
      this.#stream.off('readable', this.#onChange)
      this.#stream.resume()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined
        reject(this.#options.onLimit())
      }, this.#options.limitMs)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}
