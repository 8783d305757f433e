import { decodeWALIndexHeader, WAL_INDEX_HEADER_SIZE, type WALIndexHeader } from '@sqlstream/wal'

/** The start of a -shm file as it was read last. It is decoded only when it has changed: most looks find it as it was. */
export class LastWALIndex {
  /** Where the next look reads to. */
  next: Uint8Array = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  /** What the header was decoded from. */
  #last: Uint8Array = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  #header: WALIndexHeader | undefined

  /**
   * What `next` says.
   *
   * @param size how many bytes were read into it
   * @returns undefined when no copy is whole
   */
  decode(size: number): WALIndexHeader | undefined {
    if (size < WAL_INDEX_HEADER_SIZE) return undefined
    if (this.#header !== undefined && isSame(this.next, this.#last)) return this.#header
    this.#header = decodeWALIndexHeader(this.next)
    const last = this.#last
    this.#last = this.next
    this.next = last
    return this.#header
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
