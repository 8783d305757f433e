import { readSync } from 'node:fs'
import { decodeWALIndexHeader, WAL_INDEX_HEADER_SIZE, type WALIndexHeader } from '@sqlstream/wal'

/** Reads the start of a -shm file again and again, and decodes it only when it has changed: most looks find it as it was. */
export class WALIndexReader {
  #bytes = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  /** What the last header was decoded from. */
  #before = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  #header: WALIndexHeader | undefined

  /** @returns undefined when no copy is whole */
  read(fd: number): WALIndexHeader | undefined {
    const size = readSync(fd, this.#bytes, 0, WAL_INDEX_HEADER_SIZE, 0)
    if (size < WAL_INDEX_HEADER_SIZE) return undefined
    if (this.#header !== undefined && isSame(this.#bytes, this.#before)) return this.#header
    this.#header = decodeWALIndexHeader(this.#bytes)
    const last = this.#before
    this.#before = this.#bytes
    this.#bytes = last
    return this.#header
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
