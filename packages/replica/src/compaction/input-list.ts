import {
  type ByteStream,
  type MergeGroup,
  type MergeOptions,
  mergeFiles,
  type PageKernel,
} from '@sqlstream/ltx'
import { SmallFiles } from '@sqlstream/ltx/small-files'
import { SpareMemory } from './spare-memory.ts'

/** Of the last list, for the next one: half a MiB, which takes as long to make as several small files to read. */
let spareKernel: PageKernel | undefined

/**
 * Collects what `mergeFiles` takes, oldest first. Files that are in memory are verified as they are added, and those that lie side by
 * side are one input; the others, and those that are not as they should be, are streams, of which `mergeFiles` tells what is wrong.
 */
export class InputList {
  readonly #inputs: (ByteStream | MergeGroup)[] = []
  readonly #memory = new SpareMemory()
  #group: SmallFiles

  constructor() {
    this.#group = new SmallFiles(spareKernel)
    spareKernel = undefined
  }

  /** Memory for a file that is to be added. It is used again after `merge`. */
  room(size: number): Uint8Array {
    return this.#memory.take(size)
  }

  /** Adds a file as a whole. Its bytes must not change any more. */
  addBytes(bytes: Uint8Array): void {
    if (!this.#group.add(bytes)) this.addStream(streamOf(bytes))
    else if (this.#group.files.length === 1) this.#inputs.push(this.#group)
  }

  addStream(stream: ByteStream): void {
    // What comes next is newer than this one.
    if (this.#group.files.length > 0) this.#group = new SmallFiles(this.#group.kernel)
    this.#inputs.push(stream)
  }

  /** Merges all that was added (see `mergeFiles`). To be called once, and nothing can be added after that. */
  async *merge(options: MergeOptions): AsyncGenerator<Uint8Array, void, undefined> {
    yield* mergeFiles(this.#inputs, options)
    // Only after a good end: a read that was given up may still write to the memory or to the kernel.
    this.#memory.giveBack()
    spareKernel = this.#group.kernel
  }
}

/** A file that is in memory, as a stream. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
