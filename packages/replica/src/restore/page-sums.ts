import { type Checksum, type Pgno, toChecksum } from '@sqlstream/ltx'

/**
 * The checksum of every page of a database being rebuilt, 8 bytes a page, and their XOR: the rolling database checksum.
 * Two words a page, low and high; both zero for the lock page and for pages that no file holds.
 */
export class PageSums {
  #words: Uint32Array = new Uint32Array(0)
  #commit = 0
  #low = 0
  #high = 0

  /**
   * The database now has so many pages; those behind its end are dropped. The first time makes room for them, but for
   * at most `expected`: a damaged size must not take all memory before the damage is found.
   */
  resize(commit: number, expected: number): void {
    const words = this.#words
    const end = Math.min(this.#commit * 2, words.length)
    for (let i = commit * 2; i < end; i += 2) {
      this.#low ^= words[i] as number
      this.#high ^= words[i + 1] as number
    }
    if (commit * 2 < end) words.fill(0, commit * 2, end)
    this.#commit = commit
    if (words.length === 0) this.#reserve(Math.min(commit, Math.ceil(expected)))
  }

  /** Takes over the checksums of `count` pages with numbers in 1..commit; ascending, unless there is room for all pages. */
  set(pgnos: Uint32Array, sums: Uint32Array, count: number): void {
    if (count === 0) return
    const last = pgnos[count - 1] as Pgno
    // A quarter more than needed, so that a database that grows file by file does not move its table each time.
    if (last * 2 > this.#words.length) this.#reserve(Math.max(last, Math.ceil(this.#words.length * 0.625)))
    const words = this.#words
    let low = this.#low
    let high = this.#high
    for (let i = 0; i < count; i++) {
      const at = ((pgnos[i] as Pgno) - 1) * 2
      low ^= (words[at] as number) ^ (sums[i * 2] as number)
      high ^= (words[at + 1] as number) ^ (sums[i * 2 + 1] as number)
      words[at] = sums[i * 2] as number
      words[at + 1] = sums[i * 2 + 1] as number
    }
    this.#low = low
    this.#high = high
  }

  /** Takes over the checksum of one page in 1..commit, for which there is room. */
  put(pgno: Pgno, low: number, high: number): void {
    const at = (pgno - 1) * 2
    const words = this.#words
    this.#low ^= (words[at] as number) ^ low
    this.#high ^= (words[at + 1] as number) ^ high
    words[at] = low
    words[at + 1] = high
  }

  /** The rolling database checksum, bit 63 set. */
  checksum(): Checksum {
    return toChecksum((BigInt((this.#high | 0x80000000) >>> 0) << 32n) | BigInt(this.#low >>> 0))
  }

  /** The table, exactly two words for each page; later changes may show in it. */
  words(): Uint32Array {
    this.#reserve(this.#commit)
    return this.#words.subarray(0, this.#commit * 2)
  }

  #reserve(pages: number): void {
    if (pages * 2 <= this.#words.length) return
    const words = new Uint32Array(pages * 2)
    words.set(this.#words)
    this.#words = words
  }
}
