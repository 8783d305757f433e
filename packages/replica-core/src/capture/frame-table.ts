const MULTIPLIER = 0x9e3779b1

/**
 * The newest frame of each page in a stretch of the WAL: an open-addressing table in one typed array
 * (8 bytes a page at half load), reused from capture to capture. A `Map` takes five times as much,
 * which a transaction of several GB would feel.
 */
export class FrameTable {
  #slots: Uint32Array
  #mask: number
  #count = 0

  constructor(capacity = 1024) {
    const size = 2 ** Math.ceil(Math.log2(capacity * 2))
    this.#slots = new Uint32Array(size * 2)
    this.#mask = size - 1
  }

  /** Different pages. */
  get count(): number {
    return this.#count
  }

  clear(): void {
    // A table that one huge transaction blew up is not kept.
    if (this.#slots.length > 1 << 20) {
      this.#slots = new Uint32Array(4096)
      this.#mask = 2047
    } else if (this.#count > 0) {
      this.#slots.fill(0)
    }
    this.#count = 0
  }

  /** Records that `frame` (from 1) is the newest of `pgno`. */
  set(pgno: number, frame: number): void {
    let slot = (Math.imul(pgno, MULTIPLIER) >>> 7) & this.#mask
    for (;;) {
      const found = this.#slots[slot * 2]!
      if (found === pgno) break
      if (found === 0) {
        if (this.#count * 2 > this.#mask) {
          this.#grow()
          this.set(pgno, frame)
          return
        }
        this.#slots[slot * 2] = pgno
        this.#count++
        break
      }
      slot = (slot + 1) & this.#mask
    }
    this.#slots[slot * 2 + 1] = frame
  }

  /** The newest frame of a page, from 1; 0 when it has none. */
  get(pgno: number): number {
    let slot = (Math.imul(pgno, MULTIPLIER) >>> 7) & this.#mask
    for (;;) {
      const found = this.#slots[slot * 2]!
      if (found === pgno) return this.#slots[slot * 2 + 1]!
      if (found === 0) return 0
      slot = (slot + 1) & this.#mask
    }
  }

  /** The page numbers, ascending. */
  pages(): Uint32Array {
    const pages = new Uint32Array(this.#count)
    let n = 0
    for (let i = 0; i < this.#slots.length; i += 2) if (this.#slots[i] !== 0) pages[n++] = this.#slots[i]!
    return pages.sort()
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#slots.length / 2 - 1
    this.#count = 0
    for (let i = 0; i < old.length; i += 2) if (old[i] !== 0) this.set(old[i]!, old[i + 1]!)
  }
}
