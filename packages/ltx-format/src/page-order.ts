import { LTXError } from './errors.ts'
import type { Header } from './header.ts'
import { lockPgno, type Pgno } from './page-size.ts'
import { isSnapshot } from './txid.ts'

/**
 * The rules on the page numbers of one file (FORMAT.md P3..P7): ascending, at most commit, never the lock page, and no hole
 * in the part that the file must carry whole.
 */
export class PageOrder {
  readonly #commit: number
  readonly #lockPgno: Pgno
  /** Pages above this one must all be there. */
  readonly #wholeAbove: number
  #previous: Pgno = 0

  /** `previousCommit`: pages before the file is applied; undefined if not known, then growth is not judged. */
  constructor(header: Header, previousCommit: number | undefined) {
    this.#commit = header.commit
    this.#lockPgno = lockPgno(header.pageSize)
    this.#wholeAbove = isSnapshot(header) ? 0 : (previousCommit ?? header.commit)
  }

  /** Throws LTXError 'page-out-of-order', 'page-missing', 'lock-page' or 'bad-page'; `offset` is where the page lies. */
  admit(pgno: Pgno, offset: number): void {
    if (pgno === this.#previous + 1 && pgno <= this.#commit && pgno !== this.#lockPgno) {
      this.#previous = pgno
      return
    }
    if (pgno === this.#lockPgno) throw new LTXError('lock-page', `page ${pgno} is the lock page`, { offset })
    if (pgno <= this.#previous) {
      throw new LTXError('page-out-of-order', `page ${pgno} after ${this.#previous}`, { offset })
    }
    if (pgno > this.#commit) {
      throw new LTXError('bad-page', `page ${pgno} in a database of ${this.#commit} pages`, { offset })
    }
    this.#expectNothingBefore(pgno, offset)
    this.#previous = pgno
  }

  /** No page follows. Throws LTXError 'page-missing'. */
  finish(offset: number): void {
    this.#expectNothingBefore(this.#commit + 1, offset)
  }

  #expectNothingBefore(pgno: Pgno, offset: number): void {
    let missing = Math.max(this.#previous, this.#wholeAbove) + 1
    if (missing === this.#lockPgno) missing++
    if (missing < pgno) {
      throw new LTXError('page-missing', `page ${missing} of ${this.#commit} is missing`, { offset })
    }
  }
}
