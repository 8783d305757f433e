import { Crc64 } from './crc64.ts'
import type { Pgno } from './page-size.ts'
import { MAX_VARINT_SIZE, writeEntry } from './varint.ts'

/** Length and CRC that the page index must have, so that it need not be kept (it has some 10 bytes a page). */
export class IndexDigest {
  readonly #crc = new Crc64()
  readonly #buffer = new Uint8Array(4096)
  #at = 0
  #flushed = 0

  add(pgno: Pgno, offset: number, size: number): void {
    if (this.#at + 3 * MAX_VARINT_SIZE > this.#buffer.byteLength) this.#flush()
    this.#at = writeEntry(this.#buffer, this.#at, pgno, offset, size)
  }

  /** Adds the terminator. */
  finish(): { readonly size: number; readonly digest: bigint } {
    this.#buffer[this.#at++] = 0
    this.#flush()
    return { size: this.#flushed, digest: this.#crc.digest() }
  }

  #flush(): void {
    this.#crc.update(this.#buffer.subarray(0, this.#at))
    this.#flushed += this.#at
    this.#at = 0
  }
}
