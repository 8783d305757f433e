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
  readonly #slots = new Map<number, Map<number, number>>()

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
    return this.#slots.get(file)?.has(offset) ?? false
  }

  /** A page; the bytes are valid until the next `put`. */
  get(file: number, offset: number): Uint8Array | undefined {
    const slot = this.#slots.get(file)?.get(offset)
    if (slot === undefined) return undefined
    this.#used[slot] = 1
    return this.#page(slot)
  }

  /** Copies a page in. One of another size than before empties the cache first. */
  put(file: number, offset: number, page: Uint8Array): void {
    if (page.byteLength !== this.#pageSize) this.#reset(page.byteLength as PageSize)
    const known = this.#slots.get(file)
    if (known?.has(offset)) return
    const slot = this.#count < this.#capacity ? this.#count++ : this.#evict()
    this.#pages.set(page, slot * this.#pageSize)
    this.#files[slot] = file
    this.#offsets[slot] = offset
    this.#used[slot] = 0
    if (known && this.#slots.has(file)) known.set(offset, slot)
    else this.#slots.set(file, new Map([[offset, slot]]))
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
      const file = this.#files[slot] as number
      const offsets = this.#slots.get(file)
      offsets?.delete(this.#offsets[slot] as number)
      if (offsets?.size === 0) this.#slots.delete(file)
      return slot
    }
  }

  #reset(pageSize: PageSize): void {
    this.#pageSize = pageSize
    this.#capacity = this.capacity(pageSize)
    this.#pages = new Uint8Array(this.#capacity * pageSize)
    this.#files = new Uint32Array(this.#capacity)
    this.#offsets = new Float64Array(this.#capacity)
    this.#used = new Uint8Array(this.#capacity)
    this.#slots.clear()
    this.#hand = 0
    this.#count = 0
  }
}
