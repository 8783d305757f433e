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

  /** Makes room for a database of so many pages, or drops the pages behind its new end. */
  resize(commit: number): void {
    const words = this.#words
    if (commit < this.#commit) {
      const end = this.#commit * 2
      for (let i = commit * 2; i < end; i += 2) {
        this.#low ^= words[i] as number
        this.#high ^= words[i + 1] as number
      }
      words.fill(0, commit * 2, end)
    } else if (commit * 2 > words.length) {
      // The exact size at first, a little more when the database grows file by file.
      const pages = this.#commit === 0 ? commit : Math.max(commit, Math.ceil(this.#commit * 1.25))
      this.#words = new Uint32Array(pages * 2)
      this.#words.set(words.subarray(0, this.#commit * 2))
    }
    this.#commit = commit
  }

  /** Takes over the checksums of `count` pages. All page numbers must lie in 1..commit. */
  set(pgnos: Uint32Array, sums: Uint32Array, count: number): void {
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

  /** The rolling database checksum, bit 63 set. */
  checksum(): Checksum {
    return toChecksum((BigInt((this.#high | 0x80000000) >>> 0) << 32n) | BigInt(this.#low >>> 0))
  }

  /** The table, exactly two words for each page; later changes may show in it. */
  words(): Uint32Array {
    return this.#words.subarray(0, this.#commit * 2)
  }
}
