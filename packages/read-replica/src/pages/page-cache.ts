import type { PageSize } from '@sqlstream/ltx'

/** Fewer pages than this are of no use: a lookup alone takes some. */
const FEWEST_PAGES = 16

/**
 * Decoded pages by file and offset, in one piece of memory of a fixed size. A page that no newer file has touched stays when the
 * view changes. What was not asked for for the longest time goes first, about: a clock goes round.
 */
export class PageCache {
  readonly #bytes: number
  #pageSize = 0
  #pages = new Uint8Array(0)
  #capacity = 0
  /** File and offset of each slot; file 0 is none. */
  #files = new Uint32Array(0)
  #offsets = new Float64Array(0)
  #used = new Uint8Array(0)
  #hand = 0
  #count = 0
  /** Where the slot of a page is noted, one more than its number: at the place that its key leads to, or behind it. 0 is none. */
  #table = new Int32Array(1)

  /** @param bytes of pages; at least 16 pages are kept */
  constructor(bytes: number) {
    if (!(bytes >= 0)) throw new RangeError(`a cache of ${bytes} bytes`)
    this.#bytes = bytes
  }

  /** Bytes of the pages that are here. */
  get byteLength(): number {
    return this.#count * this.#pageSize
  }

  /** How many pages of this size there is room for. */
  capacity(pageSize: PageSize): number {
    return Math.max(FEWEST_PAGES, Math.floor(this.#bytes / pageSize))
  }

  has(file: number, offset: number): boolean {
    return this.#slotOf(file, offset) >= 0
  }

  /** A page; the bytes are valid until the next `put`. */
  get(file: number, offset: number): Uint8Array | undefined {
    const slot = this.#slotOf(file, offset)
    if (slot < 0) return undefined
    this.#used[slot] = 1
    return this.#page(slot)
  }

  /** Copies a page in. One of another size than before empties the cache first. */
  put(file: number, offset: number, page: Uint8Array): void {
    if (page.byteLength !== this.#pageSize) this.#reset(page.byteLength as PageSize)
    if (this.#slotOf(file, offset) >= 0) return
    const slot = this.#count < this.#capacity ? this.#count++ : this.#evict()
    this.#pages.set(page, slot * this.#pageSize)
    this.#files[slot] = file
    this.#offsets[slot] = offset
    this.#used[slot] = 0
    let at = this.#home(file, offset)
    while (this.#table[at] !== 0) at = this.#after(at)
    this.#table[at] = slot + 1
  }

  #page(slot: number): Uint8Array {
    return this.#pages.subarray(slot * this.#pageSize, (slot + 1) * this.#pageSize)
  }

  #evict(): number {
    for (;;) {
      const slot = this.#hand
      this.#hand = (this.#hand + 1) % this.#capacity
      if (this.#used[slot] === 1) {
        this.#used[slot] = 0
        continue
      }
      this.#forget(slot)
      return slot
    }
  }

  /** -1 if the page is not here. */
  #slotOf(file: number, offset: number): number {
    for (let at = this.#home(file, offset); ; at = this.#after(at)) {
      const slot = (this.#table[at] as number) - 1
      if (slot < 0 || (this.#files[slot] === file && this.#offsets[slot] === offset)) return slot
    }
  }

  #home(file: number, offset: number): number {
    const mixed = Math.imul(file, 0x9e3779b1) + Math.imul(offset, 0x85ebca6b)
    return (mixed ^ (mixed >>> 15)) & (this.#table.length - 1)
  }

  #after(at: number): number {
    return (at + 1) & (this.#table.length - 1)
  }

  /** Takes a slot out of the table, and moves up those that would not be found behind a gap. */
  #forget(slot: number): void {
    const table = this.#table
    let gap = this.#home(this.#files[slot] as number, this.#offsets[slot] as number)
    while (table[gap] !== slot + 1) gap = this.#after(gap)
    for (let at = this.#after(gap); table[at] !== 0; at = this.#after(at)) {
      const other = (table[at] as number) - 1
      const home = this.#home(this.#files[other] as number, this.#offsets[other] as number)
      // It is looked for from its home on: it may stay if the gap is not on the way.
      const isBehindGap = gap <= at ? gap < home && home <= at : gap < home || home <= at
      if (isBehindGap) continue
      table[gap] = other + 1
      gap = at
    }
    table[gap] = 0
  }

  #reset(pageSize: PageSize): void {
    this.#pageSize = pageSize
    this.#capacity = this.capacity(pageSize)
    this.#pages = new Uint8Array(this.#capacity * pageSize)
    this.#files = new Uint32Array(this.#capacity)
    this.#offsets = new Float64Array(this.#capacity)
    this.#used = new Uint8Array(this.#capacity)
    // Half full at most, so the way to a page is short.
    this.#table = new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#capacity)))
    this.#hand = 0
    this.#count = 0
  }
}
