import type { BlobStream } from '@sqlstream/storage'

/** A body that is in memory. */
export class WholeBody implements BlobStream, AsyncIterableIterator<Uint8Array> {
  readonly whole: Uint8Array
  readonly #signal: AbortSignal | undefined
  #at = 0

  constructor(bytes: Uint8Array, signal: AbortSignal | undefined) {
    this.whole = bytes
    this.#signal = signal
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#take(this.whole.length)
    return value.length === 0 ? { done: true, value: undefined } : { done: false, value }
  }

  async readInto(target: Uint8Array): Promise<number> {
    if (target.length === 0) throw new RangeError('no room to read into')
    const bytes = this.#take(target.length)
    target.set(bytes)
    return bytes.length
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#at = this.whole.length
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(most: number): Uint8Array {
    const bytes = this.whole.subarray(this.#at, this.#at + most)
    if (bytes.length > 0) {
      try {
        this.#signal?.throwIfAborted()
      } catch (error) {
        this.#at = this.whole.length
        throw error
      }
    }
    this.#at += bytes.length
    return bytes
  }
}
