import type { PageSize, Pgno } from '@sqlstream/ltx'
import type { PageSink } from '../restore/page-sink.ts'

const BATCH_BYTES = 1024 * 1024

/** Pages on their way into a sink: committed ones in front, then those that wait for their commit. */
export class PendingPages {
  readonly #sink: PageSink
  readonly #pageSize: PageSize
  #pgnos: Uint32Array
  #data: Uint8Array
  #count = 0
  #committed = 0

  constructor(sink: PageSink, pageSize: PageSize) {
    this.#sink = sink
    this.#pageSize = pageSize
    this.#pgnos = new Uint32Array(BATCH_BYTES / pageSize)
    this.#data = new Uint8Array(BATCH_BYTES)
  }

  get isFull(): boolean {
    return this.#count === this.#pgnos.length
  }

  /** Whether there are pages that may go into the sink. */
  get hasCommitted(): boolean {
    return this.#committed > 0
  }

  /** Room, in bytes of pages. */
  get capacity(): number {
    return this.#data.byteLength
  }

  /** Copies a page from bytes[at, …). Not when full. */
  add(pgno: Pgno, bytes: Uint8Array, at: number): void {
    this.#pgnos[this.#count] = pgno
    this.#data.set(bytes.subarray(at, at + this.#pageSize), this.#count * this.#pageSize)
    this.#count++
  }

  /** All pages that were added count from now on. */
  commit(): void {
    this.#committed = this.#count
  }

  /** Forgets the pages that wait for a commit. */
  dropUncommitted(): void {
    this.#count = this.#committed
  }

  /** Twice the room. */
  grow(): void {
    const pgnos = new Uint32Array(this.#pgnos.length * 2)
    pgnos.set(this.#pgnos)
    this.#pgnos = pgnos
    const data = new Uint8Array(this.#data.byteLength * 2)
    data.set(this.#data)
    this.#data = data
  }

  /** Writes the committed pages to the sink. */
  async flush(): Promise<void> {
    const count = this.#committed
    if (count === 0) return
    const bytes = count * this.#pageSize
    await this.#sink.write({
      count,
      pgnos: this.#pgnos.subarray(0, count),
      data: this.#data.subarray(0, bytes),
    })
    this.#pgnos.copyWithin(0, count, this.#count)
    this.#data.copyWithin(0, bytes, this.#count * this.#pageSize)
    this.#count -= count
    this.#committed = 0
  }
}
