import { PAGE_FLAG_SIZE } from './frame.ts'
import type { PageBatch } from './frame-source.ts'
import type { PageKernel } from './kernel/page-kernel.ts'
import type { MergedFile } from './merged-file.ts'

/** Pages of an input, and for each the raw CRC state of its data, two words. */
export interface HashedBatch extends PageBatch {
  readonly dataSums: Uint32Array
}

type Batches = AsyncGenerator<PageBatch | HashedBatch, void, undefined>

/** Where the merge stands in one input. */
export class MergeCursor {
  /** Which file it is, or the newest of those that it stands for. */
  readonly file: number
  /** The page it stands on; Infinity after the last. */
  pgno: number = Infinity
  /** It has passed all pages of its batch: load is due. */
  isPassed: boolean = false
  /** The last page that no later input truncates away. */
  alive: number = Infinity
  readonly #batches: Batches
  readonly #kernel: PageKernel | undefined
  #batch: HashedBatch | undefined
  #i = 0
  #frameAt = 0

  /** Batches without sums of their data are made by `kernel`, which has them. */
  constructor(file: number, batches: Batches, kernel?: PageKernel) {
    this.file = file
    this.#batches = batches
    this.#kernel = kernel
  }

  /** To the first page of the next batch. */
  async load(): Promise<void> {
    const { value } = await this.#batches.next()
    // Without a pool the kernel of a decoder is the one that made the batch.
    this.#batch = value ? { dataSums: this.#kernel!.dataSums, ...value } : undefined
    this.#i = 0
    this.#frameAt = 0
    this.pgno = value ? value.pgnos[0]! : Infinity
    this.isPassed = false
  }

  /** Copies what a merge needs of this batch, so that the kernel which made it can serve another file. Returns the bytes of it. */
  hold(): number {
    if (!this.#batch) return 0
    const { count, pgnos, data, sums, frames, frameSizes, dataSums } = this.#batch
    let at = 5
    const isModern = frameSizes.every((size) => {
      at += size
      return frames[at - size] === PAGE_FLAG_SIZE
    })
    this.#batch = {
      count,
      pgnos: pgnos.slice(),
      // Only frames of the older kind are made anew.
      data: data.slice(0, isModern ? 0 : data.byteLength),
      sums: sums.slice(),
      frames: frames.slice(),
      frameSizes: frameSizes.slice(),
      dataSums: dataSums.slice(0, 2 * count),
    }
    return frames.byteLength + this.#batch.data.byteLength
  }

  /** To the first page of this batch from `limit` on. Those before it go to `output`, unless they are dead; none without it. */
  pass(limit: number, output: MergedFile | undefined): void {
    if (output) this.#advance(Math.min(limit, this.alive + 1), output)
    this.#advance(limit)
  }

  #advance(limit: number, output?: MergedFile): void {
    const { count, pgnos, frameSizes } = this.#batch!
    const from = this.#i
    const frameAt = this.#frameAt
    let i = from
    for (; i < count && pgnos[i]! < limit; i++) this.#frameAt += frameSizes[i]!
    this.#i = i
    this.isPassed = i === count
    if (i < count) this.pgno = pgnos[i]!
    if (i > from) output?.add(this.#batch!, from, i, frameAt)
  }
}
