import type { PageSize } from '@sqlstream/ltx'
import {
  createWALKernel,
  decodeWALHeader,
  FrameScanner,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
  type WALKernel,
} from '@sqlstream/wal'
import { damaged } from './damage.ts'

/** Valid frames that lie back to back; views that stay valid until the next ones. */
export interface FrameBlock {
  readonly count: number
  readonly pgnos: Uint32Array
  /** Database size after the transaction that a frame ends; 0 for the others. */
  readonly commits: Uint32Array
  readonly bytes: Uint8Array
  /** Where the first of them lies in its WAL. */
  readonly offset: number
}

/** Cuts the segments of one WAL after another into frames and verifies each: salts and running checksum. */
export class SegmentFrames {
  readonly #pageSize: PageSize
  readonly #frameSize: number
  readonly #kernel: WALKernel
  readonly #pgnos: Uint32Array
  readonly #commits: Uint32Array
  #scanner: FrameScanner | undefined
  #offset = 0

  constructor(pageSize: PageSize) {
    this.#pageSize = pageSize
    this.#frameSize = WAL_FRAME_HEADER_SIZE + pageSize
    this.#kernel = createWALKernel({ pageSize })
    const most = this.#kernel.frames.byteLength / this.#frameSize
    this.#pgnos = new Uint32Array(most)
    this.#commits = new Uint32Array(most)
  }

  /** Where in the WAL the next segment must begin. */
  get offset(): number {
    return this.#offset
  }

  /** The next segment is the first one of another WAL. */
  restart(): void {
    this.#offset = 0
    this.#scanner = undefined
  }

  /**
   * The frames of one segment, which begins at `offset`. Every byte must belong to a valid frame: throws ReplicaError
   * `corrupt`, with a message that begins with `key`, else, and WALError for a WAL header that is none.
   */
  async *read(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<FrameBlock, void, undefined> {
    const { frames } = this.#kernel
    let filled = 0
    let skip = this.#scanner ? 0 : WAL_HEADER_SIZE
    const header = new Uint8Array(skip)
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength; ) {
        if (skip > 0) {
          const size = Math.min(skip, chunk.byteLength - at)
          header.set(chunk.subarray(at, at + size), WAL_HEADER_SIZE - skip)
          skip -= size
          at += size
          if (skip === 0) this.#begin(key, header)
          continue
        }
        const size = Math.min(chunk.byteLength - at, frames.byteLength - filled)
        frames.set(chunk.subarray(at, at + size), filled)
        filled += size
        at += size
        if (filled < frames.byteLength) continue
        yield this.#scan(key, filled)
        filled = 0
      }
    }
    if (skip > 0) throw damaged(`${key} ends inside the header of the WAL`)
    if (filled % this.#frameSize !== 0) throw damaged(`${key} ends inside a frame`)
    if (filled > 0) yield this.#scan(key, filled)
  }

  #begin(key: string, bytes: Uint8Array): void {
    const header = decodeWALHeader(bytes)
    if (header.pageSize !== this.#pageSize) {
      throw damaged(`${key} has pages of ${header.pageSize} bytes, the snapshot has ${this.#pageSize}`)
    }
    const { pageSize, bigEndianChecksums: bigEndian, salt1, salt2, checksum1, checksum2 } = header
    this.#scanner = new FrameScanner(
      { pageSize, bigEndian, salt1, salt2, checksum1, checksum2 },
      { kernel: this.#kernel },
    )
    this.#offset = WAL_HEADER_SIZE
  }

  #scan(key: string, filled: number): FrameBlock {
    const offset = this.#offset
    const count = filled / this.#frameSize
    const bytes = this.#kernel.frames
    const valid = this.#scanner!.scan(bytes, 0, count, (pgno, commit, i) => {
      this.#pgnos[i] = pgno
      this.#commits[i] = commit
    })
    if (valid < count) {
      throw damaged(
        `${key}: the frame at ${offset + valid * this.#frameSize} of the WAL does not continue the one before it`,
      )
    }
    this.#offset += filled
    return { count, pgnos: this.#pgnos, commits: this.#commits, bytes, offset }
  }
}
