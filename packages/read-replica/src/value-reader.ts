import type { SqlValue } from './engine/messages.ts'
import { type PackedChunk, TAG } from './engine/packed-rows.ts'

// A text may begin with U+FEFF.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Reads values that another thread has packed, one after the other, once. */
export class ValueReader {
  readonly #chunks: readonly PackedChunk[]
  #next = 0
  #chunk: PackedChunk | undefined
  #values = 0
  #at = 0
  #textAt = 0
  #blobAt = 0
  /** The texts of the chunk in one, when each byte of them is one character. */
  #text: string | undefined
  #bits: BigInt64Array | undefined

  constructor(chunks: readonly PackedChunk[]) {
    this.#chunks = chunks
  }

  /** The next value. There must be one. */
  next(): SqlValue {
    if (this.#at === this.#values) this.#enter()
    const chunk = this.#chunk as PackedChunk
    const at = this.#at++
    const number = chunk.numbers[at] as number
    switch (chunk.tags[at]) {
      case TAG.number:
        return number
      case TAG.text: {
        const from = this.#textAt
        this.#textAt += number
        return this.#text === undefined
          ? decoder.decode(chunk.text.subarray(from, this.#textAt))
          : this.#text.substring(from, this.#textAt)
      }
      case TAG.bigint:
        this.#bits ??= new BigInt64Array(chunk.numbers.buffer)
        return this.#bits[at] as bigint
      case TAG.blob: {
        const from = this.#blobAt
        this.#blobAt += number
        return chunk.blobs.slice(from, this.#blobAt)
      }
      default:
        return null
    }
  }

  /** Frees the memory of what was read: until it is collected it would drive the collector on, for megabytes that nobody needs. */
  end(): void {
    if (!this.#chunk) return
    const { tags, numbers, text, blobs } = this.#chunk
    // Browsers of before 2024 have no such call, and collect it later.
    for (const { buffer } of [tags, numbers, text, blobs]) buffer.transfer?.(0)
    this.#chunk = undefined
  }

  #enter(): void {
    this.end()
    const chunk = this.#chunks[this.#next++] as PackedChunk
    this.#chunk = chunk
    this.#values = chunk.values
    this.#at = 0
    this.#textAt = 0
    this.#blobAt = 0
    this.#bits = undefined
    const text = decoder.decode(chunk.text.subarray(0, chunk.textBytes))
    // One call for all of them costs a fraction of one for each. As many characters as bytes: none is of two bytes, across values neither.
    this.#text = text.length === chunk.textBytes ? text : undefined
  }
}
