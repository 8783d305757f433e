import type { Pgno } from '@sqlstream/ltx'

/** A set of page numbers 1..commit, one bit each. */
export class PageSet {
  readonly commit: number
  readonly #words: Uint32Array
  #count = 0

  constructor(commit: number) {
    this.commit = commit
    this.#words = new Uint32Array(Math.ceil(commit / 32))
  }

  /** How many pages are in it. */
  get count(): number {
    return this.#count
  }

  /** False also for numbers outside 1..commit. */
  has(pgno: Pgno): boolean {
    const bit = pgno - 1
    return ((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0
  }

  /** Adds a page in 1..commit; false if it is in already. */
  add(pgno: Pgno): boolean {
    const bit = pgno - 1
    const word = this.#words[bit >>> 5] as number
    const mask = 1 << (bit & 31)
    if ((word & mask) !== 0) return false
    this.#words[bit >>> 5] = word | mask
    this.#count++
    return true
  }

  /** Takes a page out; one that is not in it does no harm. */
  delete(pgno: Pgno): void {
    if (!this.has(pgno)) return
    const bit = pgno - 1
    this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) & ~(1 << (bit & 31))
    this.#count--
  }

  /** The same pages, as far as they are in 1..commit, in a set of their own. */
  copy(commit: number = this.commit): PageSet {
    const copy = new PageSet(commit)
    for (let pgno = 1; pgno <= Math.min(commit, this.commit); pgno++) if (this.has(pgno)) copy.add(pgno)
    return copy
  }

  /** One bit a page, the first page in the lowest bit of the first byte. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.commit / 8))
    for (let i = 0; i < bytes.length; i++) bytes[i] = (this.#words[i >>> 2] as number) >>> ((i & 3) * 8)
    return bytes
  }

  /** What toBytes gave. Bits behind `commit` are ignored, bytes that lack are zeros. */
  static fromBytes(bytes: Uint8Array, commit: number): PageSet {
    const set = new PageSet(commit)
    for (let pgno = 1; pgno <= commit; pgno++) {
      if (((bytes[(pgno - 1) >>> 3] ?? 0) & (1 << ((pgno - 1) & 7))) !== 0) set.add(pgno)
    }
    return set
  }
}
