import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'

const CHUNK_BYTES = 1024 * 1024

/** Pages in numbered places: the first ones in memory, what does not fit there in a file without a name. */
export class PageStore implements Disposable {
  readonly pageSize: number
  readonly #path: string
  readonly #chunks: Uint8Array[] = []
  readonly #chunkPages: number
  readonly #memoryPages: number
  #count = 0
  #fd: number | undefined

  /** @param memoryBytes more than this goes to a file at `path` */
  constructor(pageSize: number, path: string, memoryBytes: number) {
    this.pageSize = pageSize
    this.#path = path
    this.#chunkPages = Math.max(1, Math.floor(CHUNK_BYTES / pageSize))
    this.#memoryPages = Math.floor(memoryBytes / pageSize)
  }

  /** Takes over a page and returns its place. */
  add(data: Uint8Array): number {
    const place = this.#count++
    this.replace(place, data)
    return place
  }

  /** Puts a page in the place of another. */
  replace(place: number, data: Uint8Array): void {
    if (place < this.#memoryPages) {
      const index = Math.floor(place / this.#chunkPages)
      this.#chunks[index] ??= new Uint8Array(this.#chunkPages * this.pageSize)
      this.#chunks[index].set(data, (place % this.#chunkPages) * this.pageSize)
      return
    }
    const at = (place - this.#memoryPages) * this.pageSize
    for (let done = 0; done < data.byteLength; ) {
      done += writeSync(this.#file(), data, done, data.byteLength - done, at + done)
    }
  }

  /** Copies a page to the beginning of `target`. */
  read(place: number, target: Uint8Array): void {
    if (place < this.#memoryPages) {
      const chunk = this.#chunks[Math.floor(place / this.#chunkPages)] as Uint8Array
      const start = (place % this.#chunkPages) * this.pageSize
      target.set(chunk.subarray(start, start + this.pageSize))
      return
    }
    const at = (place - this.#memoryPages) * this.pageSize
    for (let done = 0; done < this.pageSize; ) {
      done += readSync(this.#file(), target, done, this.pageSize - done, at + done)
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #file(): number {
    if (this.#fd === undefined) {
      this.#fd = openSync(this.#path, 'w+')
      // Nothing is left of it, whatever becomes of this process.
      rmSync(this.#path)
    }
    return this.#fd
  }
}
