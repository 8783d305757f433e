import type { PageSize } from '@sqlstream/ltx'
import { DATABASE_HEADER_SIZE, decodeDatabaseHeader } from '@sqlstream/wal'
import type { PageSink } from '../restore/page-sink.ts'
import { damaged } from './damage.ts'

// A multiple of every page size, so that a full batch is whole pages.
const BATCH_BYTES = 1024 * 1024

/** What a snapshot tells besides its pages. */
export interface SnapshotImage {
  readonly pageSize: PageSize
  /** Pages in the file. */
  readonly pages: number
  /** Of the database header. */
  readonly changeCounter: number
}

/**
 * Writes a database file, which comes in chunks of any size, to a sink that has not begun. Throws ReplicaError `corrupt`, with a
 * message that begins with `key`, and WALError for a header that is none; what the chunks and the sink throw.
 */
export async function writeSnapshot(
  key: string,
  chunks: AsyncIterable<Uint8Array>,
  sink: PageSink,
): Promise<SnapshotImage> {
  const image = new ImageWriter(key, sink)
  for await (const chunk of chunks) await image.add(chunk)
  return await image.finish()
}

class ImageWriter {
  readonly #key: string
  readonly #sink: PageSink
  readonly #batch = new Uint8Array(BATCH_BYTES)
  #filled = 0
  #pages = 0
  #header: { readonly pageSize: PageSize; readonly changeCounter: number } | undefined

  constructor(key: string, sink: PageSink) {
    this.#key = key
    this.#sink = sink
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      const size = Math.min(chunk.byteLength - at, BATCH_BYTES - this.#filled)
      this.#batch.set(chunk.subarray(at, at + size), this.#filled)
      this.#filled += size
      at += size
      if (this.#filled === BATCH_BYTES) await this.#flush()
    }
  }

  async finish(): Promise<SnapshotImage> {
    await this.#flush()
    const { pageSize, changeCounter } = this.#header!
    return { pageSize, pages: this.#pages, changeCounter }
  }

  async #flush(): Promise<void> {
    const size = this.#filled
    if (!this.#header) await this.#begin()
    const { pageSize } = this.#header!
    if (size % pageSize !== 0) {
      throw damaged(`${this.#key}: ${this.#pages * pageSize + size} bytes are no whole pages of ${pageSize}`)
    }
    const count = size / pageSize
    if (count > 0) {
      const first = this.#pages + 1
      const pgnos = Uint32Array.from({ length: count }, (_, i) => first + i)
      await this.#sink.write({ count, pgnos, data: this.#batch.subarray(0, size) })
    }
    this.#pages += count
    this.#filled = 0
  }

  async #begin(): Promise<void> {
    if (this.#filled < DATABASE_HEADER_SIZE) {
      throw damaged(`${this.#key}: ${this.#filled} bytes are no database`)
    }
    const { pageSize, pageCount, changeCounter } = decodeDatabaseHeader(this.#batch)
    this.#header = { pageSize, changeCounter }
    await this.#sink.begin({ pageSize, commit: pageCount }, { mayReuse: false })
  }
}
