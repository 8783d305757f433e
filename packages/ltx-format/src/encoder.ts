import { type Checksum, flaggedChecksum, toChecksum } from './checksum.ts'
import { DatabaseSum } from './database-sum.ts'
import { encodeHeader, type Header, tracksChecksums } from './header.ts'
import { createKernel, type PageKernel } from './kernel/page-kernel.ts'
import { checkCount } from './kernel/windows.ts'
import { PageIndexWriter } from './page-index.ts'
import { PageOrder } from './page-order.ts'
import type { Page } from './page-size.ts'
import type { DoneBlock } from './pool/kernel-pool.ts'
import { encodeTail } from './tail.ts'
import { findPostApplyProblem, type Trailer } from './trailer.ts'
import { isSnapshot } from './txid.ts'

/** How an Encoder works. */
export interface EncoderOptions {
  /** Used until finish; must have the header's page size. Default: a new one. */
  readonly kernel?: PageKernel | undefined
  /** Pages of the database before this file. Then every page above it, up to commit, must be encoded. Default: not judged. */
  readonly previousCommit?: number | undefined
}

/** What is known when the pages are encoded. */
export interface EncodeOptions {
  /** Compute page checksums into kernel.pageSums. Default false. */
  readonly track?: boolean | undefined
}

/**
 * Turns a header and ascending pages into the bytes of a file: start, encode or page as often as needed, finish. Does no
 * I/O. Memory grows by some 10 bytes a page, for the page index. Calls out of this order throw TypeError.
 */
export class Encoder {
  readonly header: Header
  readonly kernel: PageKernel
  readonly #order: PageOrder
  readonly #index = new PageIndexWriter()
  /** Snapshots hold all pages, so their checksum can be compared with what the header or trailer claims. */
  readonly #sumsUp: boolean
  readonly #sum = new DatabaseSum()
  #offset = 0
  #state: 'new' | 'pages' | 'finished' = 'new'
  #trailer: Trailer | undefined

  /** Throws RangeError for a header that encodeHeader refuses or a kernel of another page size. */
  constructor(header: Header, options: EncoderOptions = {}) {
    const { kernel = createKernel({ pageSize: header.pageSize }), previousCommit } = options
    if (kernel.pageSize !== header.pageSize) {
      throw new RangeError(`kernel for pages of ${kernel.pageSize} bytes, header says ${header.pageSize}`)
    }
    this.header = header
    this.kernel = kernel
    this.#order = new PageOrder(header, previousCommit)
    this.#sumsUp = isSnapshot(header) && (tracksChecksums(header) || header.proof !== undefined)
  }

  /** The header bytes; resets the kernel. */
  start(): Uint8Array {
    this.#expect('new')
    const bytes = encodeHeader(this.header)
    this.kernel.reset()
    this.kernel.hash(bytes)
    this.#offset = bytes.byteLength
    this.#state = 'pages'
    return bytes
  }

  /**
   * Encodes the first `count` pages of kernel.pages and kernel.pgnos. The result is a view of kernel.frames, valid until
   * the next encode or page. Throws LTXError 'page-out-of-order', 'page-missing', 'lock-page' or 'bad-page' (page >
   * commit); the file is then spoilt.
   */
  encode(count: number, options: EncodeOptions = {}): Uint8Array {
    this.#expect('pages')
    const { kernel } = this
    const { pgnos } = kernel
    checkCount(count, kernel.capacity)
    const track = this.#sumsUp || options.track === true
    for (let i = 0; i < count; i++) this.#order.admit(pgnos[i]!, this.#offset)
    const size = kernel.encode(count, track)
    this.#add(kernel, count)
    return kernel.frames.subarray(0, size)
  }

  /**
   * Takes pages that a KernelPool has encoded, with `track` if this is a snapshot: the next ones in the file. The result is a
   * view of block.frames. Throws as encode does, and RangeError for pages of another size.
   */
  append({ block, count, bytes, crc, hashed }: DoneBlock): Uint8Array {
    this.#expect('pages')
    if (block.pageSize !== this.header.pageSize) {
      throw new RangeError(`block for pages of ${block.pageSize} bytes, header says ${this.header.pageSize}`)
    }
    for (let i = 0; i < count; i++) this.#order.admit(block.pgnos[i]!, this.#offset)
    this.kernel.append(crc, hashed)
    this.#add(block, count)
    return block.frames.subarray(0, bytes)
  }

  /** Encodes one page; the result is the caller's. Throws as encode does, and RangeError for data of another size. */
  page(page: Page): Uint8Array {
    const { kernel } = this
    if (page.data.byteLength !== kernel.pageSize) {
      throw new RangeError(`page ${page.pgno} has ${page.data.byteLength} of ${kernel.pageSize} bytes`)
    }
    if (!(Number.isInteger(page.pgno) && page.pgno >= 1 && page.pgno <= 0xffff_ffff)) {
      throw new RangeError(`page number ${page.pgno} is not in 1..2^32-1`)
    }
    kernel.pages.set(page.data)
    kernel.pgnos[0] = page.pgno
    return this.encode(1).slice()
  }

  /**
   * End mark, page index and trailer; the result is the caller's. `postApplyChecksum` must be given if the header tracks
   * checksums and be absent or 0n if not (RangeError). Throws LTXError 'page-missing' if a snapshot or a growth is not
   * whole, 'checksum-mismatch' if a snapshot's pages do not have the checksum that the header or trailer claims.
   */
  finish(postApplyChecksum: Checksum = toChecksum(0n)): Uint8Array {
    this.#expect('pages')
    const problem = findPostApplyProblem(this.header, postApplyChecksum)
    if (problem !== undefined) throw new RangeError(problem)
    this.#order.finish(this.#offset)
    if (this.#sumsUp) {
      this.#sum.expect(this.header.proof?.postApplyChecksum)
      if (tracksChecksums(this.header)) this.#sum.expect(postApplyChecksum)
    }

    const { kernel } = this
    const { bytes, trailer } = encodeTail(this.#index.finish(), postApplyChecksum, {
      update: (part) => kernel.hash(part),
      checksum: () => flaggedChecksum(kernel.digest()),
    })
    this.#trailer = trailer
    this.#state = 'finished'
    return bytes
  }

  /** What finish wrote. Throws TypeError before it. */
  get trailer(): Trailer {
    if (!this.#trailer) throw new TypeError('the trailer is known after finish')
    return this.#trailer
  }

  /** Enters frames that are in the file checksum already into the index and the sum of all pages. */
  #add(
    { pgnos, frameSizes, pageSums }: Pick<PageKernel, 'pgnos' | 'frameSizes' | 'pageSums'>,
    count: number,
  ): void {
    for (let i = 0; i < count; i++) {
      this.#index.add(pgnos[i]!, this.#offset, frameSizes[i]!)
      this.#offset += frameSizes[i]!
    }
    if (this.#sumsUp) this.#sum.add(pageSums, count)
  }

  #expect(state: 'new' | 'pages'): void {
    if (this.#state !== state) throw new TypeError(`call out of order: encoder is ${this.#state}`)
  }
}
