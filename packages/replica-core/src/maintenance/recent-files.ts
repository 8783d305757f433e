import { readFileSync } from 'node:fs'
import type { ByteStream } from '@sqlstream/ltx'
import type { LTXFile } from '@sqlstream/replica'
import type { SpoolFile } from '../state/spool.ts'

/** Larger files are read from the store again: they are few. */
const LARGEST = 256 * 1024
/** In all, per database. */
const MOST_BYTES = 8 * 1024 * 1024

/** The bytes of captures that were uploaded a short while ago: what merges them need not ask the store. The oldest make room. */
export class RecentFiles {
  readonly #files = new Map<string, Uint8Array>()
  #bytes = 0

  /** The bytes of a file that is still in the spool, if it is small enough to be kept. */
  static read({ path, size }: SpoolFile): Uint8Array | undefined {
    if (size > LARGEST) return undefined
    try {
      return readFileSync(path)
    } catch {
      // It is uploaded; who wants it asks the store.
      return undefined
    }
  }

  add(file: LTXFile, bytes: Uint8Array): void {
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

  readonly open = (file: LTXFile): ByteStream | undefined => {
    const bytes = this.#files.get(file.key)
    return bytes && once(bytes)
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
