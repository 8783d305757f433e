import type { LTXFile } from '@sqlstream/replica'
import type { Address } from '../bridge/xhr-source.ts'

/** A file as the reading side knows it. */
export interface KnownFile {
  /** From 1 on; never used again for another content. */
  readonly number: number
  readonly key: string
  /** Bytes. */
  readonly size: number
}

/** Numbers for files, so that a page can be named by two numbers. */
export class KnownFiles {
  readonly #byKey = new Map<string, KnownFile>()
  readonly #byNumber = new Map<number, KnownFile>()
  readonly #urlOf: ((key: string) => string) | undefined
  #last = 0

  /** @param urlOf where an object is, for a thread that fetches by itself */
  constructor(urlOf?: (key: string) => string) {
    this.#urlOf = urlOf
  }

  /** Where a file is for requests of another thread. */
  addressOf({ key, size }: Pick<LTXFile, 'key' | 'size'>): Address | undefined {
    return this.#urlOf && { url: this.#urlOf(key), size }
  }

  /** The number of a file. One that was made anew with another size is another file. */
  numberOf({ key, size }: Pick<LTXFile, 'key' | 'size'>): number {
    const known = this.#byKey.get(key)
    if (known && known.size === size) return known.number
    const file = { number: ++this.#last, key, size }
    this.#byKey.set(key, file)
    this.#byNumber.set(file.number, file)
    return file.number
  }

  /** Throws RangeError for a number that was never given, or was dropped. */
  get(number: number): KnownFile {
    const file = this.#byNumber.get(number)
    if (!file) throw new RangeError(`there is no file ${number}`)
    return file
  }

  /** The next time the key is another file: what lies there is not what it was. */
  renew(number: number): void {
    const file = this.#byNumber.get(number)
    if (file && this.#byKey.get(file.key) === file) this.#byKey.delete(file.key)
  }
}
