import { WALError } from './error.ts'
import { WAL_FRAME_HEADER_SIZE } from './frame-header.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { PageSize, Pgno } from './page-size.ts'
import { decodeWALHeader, WAL_HEADER_SIZE, type WALHeader } from './wal-header.ts'

/** Random access to one file. `read` may return fewer bytes than asked for only at the end of the file. */
export interface RandomAccessFile {
  /** In bytes. */
  readonly size: number
  read(offset: number, length: number, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
}

/** Everything needed to prove that the next frame continues the last one. */
export interface WALPos {
  /** File offset of the next frame, in bytes. */
  readonly offset: number
  readonly salt1: number
  readonly salt2: number
  /** Running checksum up to `offset`. */
  readonly checksum1: number
  readonly checksum2: number
}

/** The frames up to and including one commit frame. */
export interface WALTransaction {
  /** Database size after the commit, in pages. Pages above it may occur in `pages` and no longer count. */
  readonly commit: number
  /** Newest frame of each page in this transaction: file offset of its page image. */
  readonly pages: ReadonlyMap<Pgno, number>
  /** Position after the commit frame. */
  readonly end: WALPos
}

/** How {@link WALReader.open} reads. */
export interface WALReaderOptions {
  /**
   * Number of the last frame to look at: `mxFrame` of the wal-index. Without it a complete transaction
   * that a killed writer never published counts as committed. Default: no bound.
   */
  readonly maxFrame?: number
  /** Bytes read at once, at least one frame. Default 1 MiB. */
  readonly chunkBytes?: number
  /** Page size of the database that the WAL must belong to. Default: any. */
  readonly pageSize?: PageSize
  readonly signal?: AbortSignal
}

/**
 * Yields the committed transactions of a WAL file in order and stops at the first frame whose salts or
 * checksum break the chain, or at `maxFrame`. Frames after the last commit frame are never reported.
 * Can be iterated once; open another reader at `pos` to go on when the file has grown.
 */
export class WALReader implements AsyncIterable<WALTransaction> {
  readonly header: WALHeader
  /**
   * False when `from` belongs to another generation than the file: it was restarted since, so there is
   * nothing that continues the position, and iteration yields nothing.
   */
  readonly continues: boolean
  readonly #file: RandomAccessFile
  readonly #options: WALReaderOptions
  #pos: WALPos

  private constructor(
    file: RandomAccessFile,
    header: WALHeader,
    from: WALPos | undefined,
    options: WALReaderOptions,
  ) {
    this.#file = file
    this.#options = options
    this.header = header
    this.continues = from === undefined || (from.salt1 === header.salt1 && from.salt2 === header.salt2)
    const { salt1, salt2, checksum1, checksum2 } = header
    this.#pos = from ?? { offset: WAL_HEADER_SIZE, salt1, salt2, checksum1, checksum2 }
  }

  /**
   * Reads the header and stands at `from`, or before the first frame.
   *
   * @throws WALError when the header is invalid or has another page size than asked for; RangeError when `from.offset` is not between two frames
   */
  static async open(
    file: RandomAccessFile,
    from?: WALPos,
    options: WALReaderOptions = {},
  ): Promise<WALReader> {
    const length = Math.min(WAL_HEADER_SIZE, file.size)
    const header = decodeWALHeader(await file.read(0, length, abortable(options.signal)))
    if (options.pageSize !== undefined && options.pageSize !== header.pageSize) {
      throw new WALError(
        'page-size-mismatch',
        `WAL has pages of ${header.pageSize} bytes, the database of ${options.pageSize}`,
      )
    }
    const frameSize = WAL_FRAME_HEADER_SIZE + header.pageSize
    const offset = from?.offset ?? WAL_HEADER_SIZE
    if (offset < WAL_HEADER_SIZE || (offset - WAL_HEADER_SIZE) % frameSize !== 0) {
      throw new RangeError(`offset ${offset} is not the start of a frame of ${frameSize} bytes`)
    }
    return new WALReader(file, header, from, options)
  }

  /** Position after the last transaction that was yielded. */
  get pos(): WALPos {
    return this.#pos
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WALTransaction, void, undefined> {
    if (!this.continues) return
    const { pageSize, bigEndianChecksums } = this.header
    const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
    const { signal, maxFrame = Number.POSITIVE_INFINITY, chunkBytes = 1 << 20 } = this.#options
    const perChunk = Math.max(1, Math.floor(chunkBytes / frameSize))
    const limit = Math.min(this.#file.size, WAL_HEADER_SIZE + maxFrame * frameSize)
    const scanner = new FrameScanner({ ...this.#pos, pageSize, bigEndian: bigEndianChecksums })
    let offset = this.#pos.offset
    let pages = new Map<Pgno, number>()
    let pgno = 0
    let commit = 0
    const visit = (visited: Pgno, size: number): void => {
      pgno = visited
      commit = size
    }
    for (;;) {
      const wanted = Math.min(perChunk, Math.floor((limit - offset) / frameSize))
      if (wanted <= 0) return
      const bytes = await this.#file.read(offset, wanted * frameSize, abortable(signal))
      const present = Math.min(wanted, Math.floor(bytes.length / frameSize))
      for (let index = 0; index < present; index++) {
        // Frame by frame: a consumer may stop after any transaction and must find `pos` there.
        if (scanner.scan(bytes, index * frameSize, 1, visit) === 0) return
        pages.set(pgno, offset + index * frameSize + WAL_FRAME_HEADER_SIZE)
        if (commit === 0) continue
        const { salt1, salt2 } = this.header
        const [checksum1, checksum2] = scanner.checksum as Iterable<number> as [number, number]
        this.#pos = { offset: offset + (index + 1) * frameSize, salt1, salt2, checksum1, checksum2 }
        yield { commit, pages, end: this.#pos }
        pages = new Map()
      }
      if (present < wanted) return
      offset += wanted * frameSize
    }
  }
}

function abortable(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
