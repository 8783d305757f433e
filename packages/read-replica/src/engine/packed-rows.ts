/** What a value is: it says where the rest of it stands. */
export const TAG = { null: 0, number: 1, bigint: 2, text: 3, blob: 4 } as const

/** Values one after the other, as arrays that are handed to another thread without a copy. */
export interface PackedChunk {
  /** How many values there are. */
  readonly values: number
  /** A `TAG` for each value. */
  readonly tags: Uint8Array<ArrayBuffer>
  /** For each value a number: itself, the bits of a bigint, or the length of a text or blob in bytes. */
  readonly numbers: Float64Array<ArrayBuffer>
  /** UTF-8 of the texts, one after the other. */
  readonly text: Uint8Array<ArrayBuffer>
  readonly textBytes: number
  readonly blobs: Uint8Array<ArrayBuffer>
}

/** The rows of one statement, whose values stand in chunks. */
export interface PackedSet {
  readonly columns: readonly string[]
  readonly rows: number
}

/** The rows of several statements; their values follow each other. */
export interface PackedSets {
  readonly sets: readonly PackedSet[]
  readonly chunks: readonly PackedChunk[]
}

const FIRST_VALUES = 64
const MOST_VALUES = 2048
const FIRST_BYTES = 1024
/** A text on the other side may keep those of its chunk in memory, so that is not more. */
const MOST_BYTES = 64 * 1024
/** Below, a loop is quicker than a view of the source. */
const SHORT = 48

/** Puts values into chunks. A `SqlValue[]` for each row would be copied value by value on the way to another thread. */
export class RowPacker {
  readonly #chunks: PackedChunk[] = []
  #values = 0
  #tags = new Uint8Array(FIRST_VALUES)
  #numbers = new Float64Array(FIRST_VALUES)
  #bits = new BigInt64Array(this.#numbers.buffer)
  #text = new Bytes(FIRST_BYTES)
  #blobs = new Bytes(0)
  #packedBytes = 0

  /** Bytes so far, about. */
  get byteLength(): number {
    return this.#packedBytes + 9 * this.#values + this.#text.used + this.#blobs.used
  }

  null(): void {
    this.#add(TAG.null, 0)
  }

  number(value: number): void {
    this.#add(TAG.number, value)
  }

  bigint(value: bigint): void {
    this.#add(TAG.bigint, 0)
    this.#bits[this.#values - 1] = value
  }

  /** UTF-8 in other memory. */
  text(source: Uint8Array, at: number, length: number): void {
    this.#mustFit(this.#text, length)
    this.#add(TAG.text, length)
    this.#text.append(source, at, length)
  }

  blob(source: Uint8Array, at: number, length: number): void {
    this.#mustFit(this.#blobs, length)
    this.#add(TAG.blob, length)
    this.#blobs.append(source, at, length)
  }

  /** All chunks. The packer is not used any more. */
  end(): readonly PackedChunk[] {
    this.#endChunk()
    return this.#chunks
  }

  #add(tag: number, number: number): void {
    if (this.#values === this.#tags.length) this.#makeRoom()
    this.#tags[this.#values] = tag
    this.#numbers[this.#values++] = number
  }

  #makeRoom(): void {
    if (this.#values === MOST_VALUES) {
      this.#begin()
      return
    }
    const tags = new Uint8Array(Math.min(MOST_VALUES, 4 * this.#values))
    const numbers = new Float64Array(tags.length)
    tags.set(this.#tags)
    numbers.set(this.#numbers)
    this.#tags = tags
    this.#numbers = numbers
    this.#bits = new BigInt64Array(numbers.buffer)
  }

  #mustFit(bytes: Bytes, length: number): void {
    // The value and its bytes are in the same chunk.
    const isFull = this.#values === MOST_VALUES || (bytes.used > 0 && bytes.used + length > MOST_BYTES)
    if (isFull) this.#begin()
  }

  /** There will be more: what follows gets all the room at once. */
  #begin(): void {
    this.#endChunk()
    this.#values = 0
    this.#tags = new Uint8Array(MOST_VALUES)
    this.#numbers = new Float64Array(MOST_VALUES)
    this.#bits = new BigInt64Array(this.#numbers.buffer)
    this.#text = new Bytes(this.#text.used > 0 ? MOST_BYTES : 0)
    this.#blobs = new Bytes(0)
  }

  #endChunk(): void {
    if (this.#values === 0) return
    this.#packedBytes = this.byteLength
    this.#chunks.push({
      values: this.#values,
      tags: this.#tags,
      numbers: this.#numbers,
      text: this.#text.bytes,
      textBytes: this.#text.used,
      blobs: this.#blobs.bytes,
    })
  }
}

/** The memory of chunks, to hand over. */
export function buffersOf({ chunks }: PackedSets): ArrayBuffer[] {
  return chunks.flatMap(({ tags, numbers, text, blobs }) => [
    tags.buffer,
    numbers.buffer,
    text.buffer,
    blobs.buffer,
  ])
}

/** Bytes that grow. */
class Bytes {
  bytes: Uint8Array<ArrayBuffer>
  used = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  append(source: Uint8Array, at: number, length: number): void {
    const end = this.used + length
    if (end > this.bytes.length) this.#grow(end)
    if (length > SHORT) this.bytes.set(source.subarray(at, at + length), this.used)
    else for (let i = 0; i < length; i++) this.bytes[this.used + i] = source[at + i] as number
    this.used = end
  }

  #grow(least: number): void {
    const bytes = new Uint8Array(Math.max(least, FIRST_BYTES, Math.min(MOST_BYTES, 4 * this.bytes.length)))
    bytes.set(this.bytes.subarray(0, this.used))
    this.bytes = bytes
  }
}
