import { type Checksum, toChecksum } from '@sqlstream/ltx'

const FLAG_HIGH = 0x80000000

/**
 * One checksum per database page, as of a position: two 32-bit words a page (low, high; 0,0 for the
 * lock page), 2 MiB per GiB of database at 4 KiB pages. Their XOR is the rolling database checksum
 * of the LTX specification.
 */
export class Ledger {
  #words: Uint32Array
  #pageCount = 0
  #low = 0
  #high = 0

  constructor(capacityPages = 1024) {
    this.#words = new Uint32Array(capacityPages * 2)
  }

  /** Size of the database in pages. */
  get pageCount(): number {
    return this.#pageCount
  }

  /** Rolling checksum of the database, flag bit set. */
  get checksum(): Checksum {
    return rollingChecksum(this.#low, this.#high)
  }

  /** Low word of the checksum of a page; 0 beyond the end. */
  low(pgno: number): number {
    return pgno > this.#pageCount ? 0 : this.#words[pgno * 2 - 2]!
  }

  /** High word of the checksum of a page; 0 beyond the end. */
  high(pgno: number): number {
    return pgno > this.#pageCount ? 0 : this.#words[pgno * 2 - 1]!
  }

  /** Records the checksum of one page; the page must lie within the current size. */
  set(pgno: number, low: number, high: number): void {
    const at = pgno * 2 - 2
    this.#low ^= this.#words[at]! ^ low
    this.#high ^= this.#words[at + 1]! ^ high
    this.#words[at] = low
    this.#words[at + 1] = high
  }

  /** Grows or shrinks the database; pages that fall away leave the rolling checksum. */
  resize(pageCount: number): void {
    for (let i = pageCount * 2; i < this.#pageCount * 2; i += 2) {
      this.#low ^= this.#words[i]!
      this.#high ^= this.#words[i + 1]!
      this.#words[i] = 0
      this.#words[i + 1] = 0
    }
    if (pageCount * 2 > this.#words.length) {
      const grown = new Uint32Array(Math.max(pageCount * 2, Math.ceil(this.#words.length * 1.5)))
      grown.set(this.#words.subarray(0, this.#pageCount * 2))
      this.#words = grown
    }
    this.#pageCount = pageCount
  }

  /** The rolling checksum that {@link applyChanges} would lead to, without changing anything. */
  checksumAfter(commit: number, count: number, pgnos: Uint32Array, sums: Uint32Array): Checksum {
    let low = this.#low
    let high = this.#high
    for (let i = commit * 2; i < this.#pageCount * 2; i += 2) {
      low ^= this.#words[i]!
      high ^= this.#words[i + 1]!
    }
    for (let i = 0; i < count; i++) {
      const pgno = pgnos[i]!
      low ^= this.low(pgno) ^ sums[i * 2]!
      high ^= this.high(pgno) ^ sums[i * 2 + 1]!
    }
    return rollingChecksum(low, high)
  }

  /** The words of all pages, to be written to disk. A view: do not keep it. */
  words(): Uint32Array {
    return this.#words.subarray(0, this.#pageCount * 2)
  }

  /** A ledger with the given page checksums (copied). */
  static from(words: Uint32Array, pageCount: number): Ledger {
    const ledger = new Ledger(pageCount)
    ledger.#pageCount = pageCount
    ledger.#words.set(words.subarray(0, pageCount * 2))
    for (let i = 0; i < pageCount * 2; i += 2) {
      ledger.#low ^= ledger.#words[i]!
      ledger.#high ^= ledger.#words[i + 1]!
    }
    return ledger
  }
}

function rollingChecksum(low: number, high: number): Checksum {
  return toChecksum((BigInt((high | FLAG_HIGH) >>> 0) << 32n) | BigInt(low >>> 0))
}
