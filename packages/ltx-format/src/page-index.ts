import { LTXError } from './errors.ts'
import { PAGE_HEADER_SIZE } from './frame.ts'
import { HEADER_SIZE } from './header.ts'
import type { Pgno } from './page-size.ts'
import { MAX_VARINT_SIZE, VarintReader, writeEntry } from './varint.ts'

/** Where one page's frame lies in the file. */
export interface PageIndexEntry {
  readonly pgno: Pgno
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Whole frame, its header among it. */
  readonly size: number
}

/** Where each page of a file lies, by ascending page number. */
export class PageIndex {
  declare readonly count: number
  declare readonly pgnos: Uint32Array
  declare readonly offsets: Float64Array
  declare readonly sizes: Uint32Array

  constructor(count: number) {
    this.count = count
    this.pgnos = new Uint32Array(count)
    this.offsets = new Float64Array(count)
    this.sizes = new Uint32Array(count)
  }

  /** The entry at a position 0..count-1. Throws RangeError. */
  at(position: number): PageIndexEntry {
    if (!(position >= 0 && position < this.count))
      throw new RangeError(`no entry ${position} of ${this.count}`)
    return { pgno: this.pgnos[position]!, offset: this.offsets[position]!, size: this.sizes[position]! }
  }

  /** The entry of a page, undefined if the file does not have it. */
  find(pgno: Pgno): PageIndexEntry | undefined {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.pgnos[middle]! < pgno) low = middle + 1
      else high = middle
    }
    return low < this.count && this.pgnos[low] === pgno ? this.at(low) : undefined
  }
}

/**
 * Reads the entries and their terminator (FORMAT.md I1..I3); `bytes` begin at `start` in the file. The frames must tile the file
 * from the header to the end mark. Throws LTXError 'bad-index'.
 */
export function decodePageIndex(bytes: Uint8Array, start: number): PageIndex {
  const bad = (message: string, at: number) => new LTXError('bad-index', message, { offset: start + at })
  let values = 0
  for (const byte of bytes) if (byte < 0x80) values++
  if (values % 3 !== 1) throw bad(`${values} numbers are not entries of three and a terminator`, 0)
  const index = new PageIndex((values - 1) / 3)
  const reader = new VarintReader(bytes, 0, bytes.byteLength)
  let previous = 0
  let end = HEADER_SIZE
  for (let i = 0; i < index.count; i++) {
    const at = reader.at
    const pgno = reader.next()
    const offset = reader.next()
    const size = reader.next()
    if (pgno <= previous || pgno > 0xffff_ffff) throw bad(`page ${pgno} after ${previous}`, at)
    if (offset !== end) throw bad(`page ${pgno} at ${offset} instead of ${end}`, at)
    if (size <= PAGE_HEADER_SIZE || size > 0xffff_ffff) throw bad(`page ${pgno} has ${size} bytes`, at)
    index.pgnos[i] = pgno
    index.offsets[i] = offset
    index.sizes[i] = size
    previous = pgno
    end = offset + size
  }
  if (reader.next() !== 0 || reader.at !== bytes.byteLength)
    throw bad('terminator is not where it belongs', bytes.byteLength - 1)
  if (end + PAGE_HEADER_SIZE !== start) throw bad(`pages end at ${end}, index starts at ${start}`, 0)
  return index
}

/** Builds the index bytes of pages as they come. */
export class PageIndexWriter {
  #bytes = new Uint8Array(1024)
  #size = 0

  add(pgno: Pgno, offset: number, size: number): void {
    this.#reserve(3 * MAX_VARINT_SIZE)
    this.#size = writeEntry(this.#bytes, this.#size, pgno, offset, size)
  }

  /** All entries and the terminator. */
  finish(): Uint8Array {
    this.#reserve(1)
    this.#bytes[this.#size++] = 0
    return this.#bytes.subarray(0, this.#size)
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.byteLength) return
    const grown = new Uint8Array(this.#bytes.byteLength * 2)
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
