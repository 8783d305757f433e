import { lockPgno, type PageSize, type Pgno } from '@sqlstream/ltx'

/** Which pages of a database something was written to: one bit a page. A WAL with a hole shows by a page that nothing brought. */
export class PageCoverage {
  readonly #lockPgno: Pgno
  #bits = new Uint32Array(0)
  /** Pages that are there, without the lock page. */
  #count = 0
  #highest: Pgno = 0

  constructor(pageSize: PageSize) {
    this.#lockPgno = lockPgno(pageSize)
  }

  /** Highest page since the last `resize`. */
  get highest(): Pgno {
    return this.#highest
  }

  /** Page `pgno`, from 1 on, is there. */
  add(pgno: Pgno): void {
    if (pgno > this.#highest) this.#highest = pgno
    if (pgno === this.#lockPgno) return
    const word = (pgno - 1) >>> 5
    if (word >= this.#bits.length) this.#reserve(word + 1)
    const bit = 1 << ((pgno - 1) & 31)
    const old = this.#bits[word]!
    if ((old & bit) !== 0) return
    this.#bits[word] = old | bit
    this.#count++
  }

  /** The database ends after `commit` pages: those behind are gone. */
  resize(commit: number): void {
    for (let pgno = commit + 1; pgno <= this.#highest; pgno++) {
      if (!this.#has(pgno)) continue
      this.#bits[(pgno - 1) >>> 5]! &= ~(1 << ((pgno - 1) & 31))
      this.#count--
    }
    this.#highest = Math.min(this.#highest, commit)
  }

  /** The first page of 1..commit that nothing brought. Only right after `resize(commit)`; takes no time if there is none. */
  firstMissing(commit: number): Pgno | undefined {
    const expected = this.#lockPgno <= commit ? commit - 1 : commit
    if (this.#count === expected) return undefined
    let pgno = 1
    while (this.#has(pgno) || pgno === this.#lockPgno) pgno++
    return pgno
  }

  #has(pgno: Pgno): boolean {
    return ((this.#bits[(pgno - 1) >>> 5] ?? 0) & (1 << ((pgno - 1) & 31))) !== 0
  }

  #reserve(words: number): void {
    const bits = new Uint32Array(Math.max(words, this.#bits.length * 2))
    bits.set(this.#bits)
    this.#bits = bits
  }
}
