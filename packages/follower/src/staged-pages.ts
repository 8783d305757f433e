import { type Checksum, createKernel, lockPgno, type PageKernel, type PageSize } from '@sqlstream/ltx'
import { PageStore } from './page-store.ts'
import { RollingSum } from './rolling-sum.ts'

const MEMORY_BYTES = 64 * 1024 * 1024
/** In place of a page that is equal to that of the copy. */
const SAME = -1

/** The copy that pages are staged for: what it holds now. */
export interface StagingBase {
  readonly pageSize: PageSize
  readonly commit: number
  readonly checksum: Checksum
  /** The checksum of a page in 1..commit: two words, low and high. */
  sumOf(pgno: number, into: Uint32Array): void
}

/** Pages as a decoder gives them. */
export interface SummedPages {
  readonly count: number
  readonly pgnos: Uint32Array
  readonly data: Uint8Array
  /** Two words a page. */
  readonly sums: Uint32Array
}

interface Entry {
  place: number
  low: number
  high: number
  readonly oldLow: number
  readonly oldHigh: number
}

/**
 * What is to become of a copy: the pages of some files laid over each other, newest on top, and the rolling checksum that the copy will have. Pages
 * that come out equal to those of the copy take no room.
 */
export class StagedPages implements Disposable {
  readonly pageSize: PageSize
  readonly #base: StagingBase
  readonly #store: PageStore
  readonly #entries = new Map<number, Entry>()
  readonly #sum: RollingSum
  readonly #words = new Uint32Array(2)
  readonly #lock: number
  #kernel: PageKernel | undefined
  #commit: number
  /** Pages of the copy up to here are still part of the database; behind it, what no file has is zeros. */
  #floor: number

  constructor(base: StagingBase, spillPath: string, memoryBytes: number = MEMORY_BYTES) {
    this.#base = base
    this.pageSize = base.pageSize
    this.#store = new PageStore(base.pageSize, spillPath, memoryBytes)
    this.#sum = new RollingSum(base.checksum)
    this.#lock = lockPgno(base.pageSize)
    this.#commit = base.commit
    this.#floor = base.commit
  }

  /** Size of the database, in pages. */
  get commit(): number {
    return this.#commit
  }

  get checksum(): Checksum {
    return this.#sum.value
  }

  /** The database has so many pages now. */
  resize(commit: number): void {
    for (let pgno = commit + 1; pgno <= this.#commit; pgno++) this.#drop(pgno)
    this.#floor = Math.min(this.#floor, commit)
    this.#commit = commit
  }

  /** Lays pages on top. */
  set({ count, pgnos, data, sums }: SummedPages): void {
    const { pageSize } = this
    for (let i = 0; i < count; i++) {
      const page = data.subarray(i * pageSize, (i + 1) * pageSize)
      this.#put(pgnos[i] as number, page, sums[2 * i] as number, sums[2 * i + 1] as number)
    }
  }

  /** Gives pages that are in no file their zeros. */
  fillHoles(): void {
    const kernel = this.#ownKernel()
    kernel.pages.fill(0, 0, this.pageSize)
    for (let pgno = this.#floor + 1; pgno <= this.#commit; pgno++) {
      if (pgno === this.#lock || this.#entries.has(pgno)) continue
      kernel.pgnos[0] = pgno
      kernel.checksumPages(1)
      const { pageSums } = kernel
      this.#put(pgno, kernel.pages.subarray(0, this.pageSize), pageSums[0] as number, pageSums[1] as number)
    }
    this.#floor = this.#commit
  }

  /** Numbers of the pages that are to be written, ascending. */
  pgnos(): number[] {
    const pgnos: number[] = []
    for (const [pgno, { place }] of this.#entries) if (place !== SAME) pgnos.push(pgno)
    return pgnos.sort((a, b) => a - b)
  }

  /** Copies a page that is to be written; false when the copy has it already. */
  read(pgno: number, target: Uint8Array): boolean {
    const place = this.#entries.get(pgno)?.place ?? SAME
    if (place === SAME) return false
    this.#store.read(place, target)
    return true
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]()
  }

  #put(pgno: number, page: Uint8Array, low: number, high: number): void {
    const entry = this.#entries.get(pgno)
    if (entry === undefined) {
      this.#oldSum(pgno)
      const [oldLow, oldHigh] = this.#words as unknown as [number, number]
      const isSame = low === oldLow && high === oldHigh
      if (isSame && pgno <= this.#floor) return
      // Behind the floor the page of the copy is no part of the database any more: its sum is out already.
      if (pgno <= this.#floor) this.#sum.toggle(oldLow, oldHigh)
      const place = isSame ? SAME : this.#store.add(page)
      this.#entries.set(pgno, { place, low, high, oldLow, oldHigh })
    } else {
      this.#sum.toggle(entry.low, entry.high)
      if (low === entry.oldLow && high === entry.oldHigh) entry.place = SAME
      else if (entry.place === SAME) entry.place = this.#store.add(page)
      else this.#store.replace(entry.place, page)
      entry.low = low
      entry.high = high
    }
    this.#sum.toggle(low, high)
  }

  #drop(pgno: number): void {
    if (pgno === this.#lock) return
    const entry = this.#entries.get(pgno)
    if (entry) {
      this.#sum.toggle(entry.low, entry.high)
      this.#entries.delete(pgno)
    } else if (pgno <= this.#floor) {
      this.#oldSum(pgno)
      this.#sum.toggle(this.#words[0] as number, this.#words[1] as number)
    }
  }

  /** Into `#words`; zeros for a page that the copy does not have. */
  #oldSum(pgno: number): void {
    this.#words.fill(0)
    if (pgno <= this.#base.commit) this.#base.sumOf(pgno, this.#words)
  }

  #ownKernel(): PageKernel {
    this.#kernel ??= createKernel({ pageSize: this.pageSize, batchBytes: this.pageSize })
    return this.#kernel
  }
}
