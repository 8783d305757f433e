/** Bytes that are allocated at a time. */
const SLAB = 1024 * 1024
/** What is larger has memory of its own: little is left over at the end of a slab. */
const LARGEST = 256 * 1024

/** Of the last merge, as long as nothing else needs the memory: the next collection of garbage takes it. */
let spare: WeakRef<Uint8Array[]> | undefined

/**
 * Memory for the files of a merge, used again by the next one. If each merge took new memory, the system would fill it with zeros
 * and the garbage collector would run for every few MiB: together a fifth of what a merge of small files takes, or more.
 */
export class SpareMemory {
  readonly #slabs: Uint8Array[]
  #slab = 0
  #used = 0

  constructor() {
    this.#slabs = spare?.deref() ?? []
    spare = undefined
  }

  /** So many bytes; what is in them is left to chance. */
  take(size: number): Uint8Array {
    if (size > LARGEST) return new Uint8Array(size)
    if (this.#used + size > SLAB) {
      this.#slab++
      this.#used = 0
    }
    this.#slabs[this.#slab] ??= new Uint8Array(SLAB)
    this.#used += size
    return this.#slabs[this.#slab]!.subarray(this.#used - size, this.#used)
  }

  /** Leaves all that was taken to others: nobody may look at it or write there any more. Nothing can be taken after that. */
  giveBack(): void {
    spare = new WeakRef(this.#slabs)
  }
}
