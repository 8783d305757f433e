import type { LTXFile } from '@sqlstream/replica'

/** Larger files are read from the store again: they are few. */
const LARGEST = 256 * 1024
/** In all, per database. */
const MOST_BYTES = 8 * 1024 * 1024

/** The bytes of captures that were uploaded a short while ago: what merges them need not ask the store. The oldest make room. */
export class RecentFiles {
  readonly #files = new Map<string, Uint8Array>()
  #bytes = 0

  /** Keeps the bytes of a file, unless it is large. */
  add(file: LTXFile, bytes: Uint8Array): void {
    if (bytes.byteLength > LARGEST) return
    this.#files.set(file.key, bytes)
    this.#bytes += bytes.byteLength
    for (const [key, { byteLength }] of this.#files) {
      if (this.#bytes <= MOST_BYTES) return
      this.#files.delete(key)
      this.#bytes -= byteLength
    }
  }

  /** Of those that are merged now. */
  drop(files: readonly LTXFile[]): void {
    for (const { key } of files) {
      this.#bytes -= this.#files.get(key)?.byteLength ?? 0
      this.#files.delete(key)
    }
  }

  readonly bytesOf = (file: LTXFile): Uint8Array | undefined => this.#files.get(file.key)
}
