import type { ByteStream, MergeGroup, PageKernel } from '@sqlstream/ltx'
import { SmallFiles } from '@sqlstream/ltx/small-files'

/** Of the last list, for the next one: half a MiB, which takes as long to make as several small files to read. */
let spareKernel: PageKernel | undefined

/**
 * Collects what `mergeFiles` takes, oldest first. Files that are in memory are verified as they are added, and those that lie side by
 * side are one input; the others, and those that are not as they should be, are streams, of which `mergeFiles` tells what is wrong.
 */
export class InputList {
  readonly #inputs: (ByteStream | MergeGroup)[] = []
  #group: SmallFiles

  constructor() {
    this.#group = new SmallFiles(spareKernel)
    spareKernel = undefined
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

  /** All that was added. Nothing can be added after that. */
  end(): readonly (ByteStream | MergeGroup)[] {
    spareKernel = this.#group.kernel
    return this.#inputs
  }
}

/** A file that is in memory, as a stream. */
export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
