import { readSize, viewOf } from './big-endian.ts'
import { type ByteStream, StreamReader } from './byte-stream.ts'
import { flaggedChecksum } from './checksum.ts'
import { Crc64 } from './crc64.ts'
import { DatabaseSum, mismatch } from './database-sum.ts'
import { LTXError } from './errors.ts'
import { type FrameSource, KernelFrames, type PageBatch } from './frame-source.ts'
import { decodeHeader, HEADER_SIZE, type Header, PROOF_OFFSET, tracksChecksums } from './header.ts'
import { IndexDigest } from './index-digest.ts'
import { createKernel, type PageKernel } from './kernel/page-kernel.ts'
import { PageOrder } from './page-order.ts'
import type { Page } from './page-size.ts'
import type { KernelPool } from './pool/kernel-pool.ts'
import { decodeTrailer, TRAILER_SIZE, type Trailer } from './trailer.ts'
import { isSnapshot } from './txid.ts'

export type { PageBatch }

/** How a Decoder works. */
export interface DecoderOptions {
  /** Used until finish or close, if it has the file's page size; else, and by default, a new one. */
  readonly kernel?: PageKernel | undefined
  /** Size of a new kernel's batches, in bytes of pages. Default 1 MiB. */
  readonly batchBytes?: number | undefined
  /** Decodes full batches in other threads, some ahead; for files of many MB. It is not closed here. Default: this thread. */
  readonly pool?: KernelPool | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads one file front to back. Pages come as batches or one by one; they are unproven until finish() resolves. Every
 * failure throws LTXError, or the signal's reason, and lets the source go.
 */
export class Decoder implements AsyncIterable<Page> {
  readonly header: Header
  readonly kernel: PageKernel
  readonly #reader: StreamReader
  readonly #order: PageOrder
  readonly #index = new IndexDigest()
  readonly #frames: FrameSource
  /** Where the next frame lies in the file. */
  #offset = HEADER_SIZE
  readonly #sum = new DatabaseSum()
  #state: 'pages' | 'tail' | 'closed' = 'pages'
  #trailer: Trailer | undefined

  /** Reads the header. Throws LTXError 'truncated', 'bad-magic' or 'bad-header'. */
  static async open(source: ByteStream, options: DecoderOptions = {}): Promise<Decoder> {
    const reader = new StreamReader(source, options.signal)
    try {
      return new Decoder(reader, await reader.exact(HEADER_SIZE, 'header'), options)
    } catch (error) {
      // If that fails too, the first error is the one to tell.
      await reader.close().catch(() => {})
      throw error
    }
  }

  private constructor(reader: StreamReader, headerBytes: Uint8Array, options: DecoderOptions) {
    this.header = decodeHeader(headerBytes)
    const { pageSize } = this.header
    const { kernel, batchBytes = 1024 * 1024, pool, signal } = options
    this.kernel = kernel?.pageSize === pageSize ? kernel : createKernel({ pageSize, batchBytes })
    this.kernel.reset()
    this.kernel.hash(headerBytes)
    this.#reader = reader
    this.#frames = pool
      ? pool.frames(this.kernel, reader, HEADER_SIZE, { signal })
      : new KernelFrames(this.kernel, reader, HEADER_SIZE)
    this.#order = new PageOrder(this.header, undefined)
  }

  /** False once the last page was handed out. */
  get hasPages(): boolean {
    return this.#state === 'pages'
  }

  /** The pages not handed out yet. Leaving the loop early keeps the decoder usable; end with finish or close. */
  async *batches(): AsyncGenerator<PageBatch, void, undefined> {
    for (let batch = await this.#next(); batch; batch = await this.#next()) yield batch
  }

  /** The pages not handed out yet, each with data that is the caller's. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Page, void, undefined> {
    const { pageSize } = this.header
    for await (const { count, pgnos, data } of this.batches()) {
      for (let i = 0; i < count; i++) {
        yield { pgno: pgnos[i]!, data: data.slice(i * pageSize, (i + 1) * pageSize) }
      }
    }
  }

  /**
   * Reads what is left and compares the page index, the file checksum and, for a snapshot, the checksum of all pages with
   * the trailer and the chain proof. May be called again. Throws LTXError 'bad-index', 'bad-trailer', 'checksum-mismatch',
   * 'truncated', and what reading pages throws; TypeError after close.
   */
  async finish(): Promise<Trailer> {
    this.#frames.dropPages()
    while (await this.#next());
    if (this.#trailer) return this.#trailer
    if (this.#state !== 'tail') throw new TypeError('the decoder is closed')
    return await this.#guard(async () => {
      await this.#finishIndex()
      this.#trailer = await this.#finishTrailer()
      this.#state = 'closed'
      return this.#trailer
    })
  }

  /** Lets the source go without verifying. Harmless after finish. */
  async close(): Promise<void> {
    this.#state = 'closed'
    await this.#reader.close()
  }

  async #next(): Promise<PageBatch | undefined> {
    return this.#state === 'pages' ? await this.#guard(() => this.#nextBatch()) : undefined
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#state = 'closed'
      // If that fails too, the first error is the one to tell.
      await this.#reader.close().catch(() => {})
      throw error
    }
  }

  async #nextBatch(): Promise<PageBatch | undefined> {
    const batch = await this.#frames.next()
    const { count, pgnos, frameSizes, sums } = batch
    for (let i = 0; i < count; i++) {
      this.#order.admit(pgnos[i]!, this.#offset)
      this.#index.add(pgnos[i]!, this.#offset, frameSizes[i]!)
      this.#offset += frameSizes[i]!
    }
    this.#sum.add(sums, count)
    if (batch.end) {
      this.#order.finish(this.#offset)
      this.#state = 'tail'
    }
    return count > 0 ? batch : undefined
  }

  /** The index must be exactly what the pages say. Nothing of it is kept, so its size does not matter. */
  async #finishIndex(): Promise<void> {
    const start = this.#reader.position
    const actual = new Crc64()
    const expected = this.#index.finish()
    for (let left = expected.size; left > 0; ) {
      const bytes = await this.#reader.some(left)
      if (bytes.byteLength === 0) throw new LTXError('truncated', 'page index is cut off', { offset: start })
      actual.update(bytes)
      this.kernel.hash(bytes)
      left -= bytes.byteLength
    }
    if (actual.digest() !== expected.digest) {
      throw new LTXError('bad-index', 'page index does not fit the pages', { offset: start })
    }
    const sizeAt = this.#reader.position
    const sizeBytes = await this.#reader.exact(8, 'size of the page index')
    if (readSize(viewOf(sizeBytes), 0) !== expected.size) {
      throw new LTXError('bad-index', `page index does not have ${expected.size} bytes`, { offset: sizeAt })
    }
    this.kernel.hash(sizeBytes)
  }

  async #finishTrailer(): Promise<Trailer> {
    const at = this.#reader.position
    const bytes = await this.#reader.exact(TRAILER_SIZE, 'trailer')
    const trailer = decodeTrailer(bytes, this.header, at)
    if ((await this.#reader.some(1)).byteLength > 0) {
      throw new LTXError('bad-trailer', 'bytes after the trailer', { offset: at + TRAILER_SIZE })
    }
    this.kernel.hash(bytes.subarray(0, 8))
    const actual = flaggedChecksum(this.kernel.digest())
    if (actual !== trailer.fileChecksum) throw mismatch('file', actual, trailer.fileChecksum, at + 8)
    if (isSnapshot(this.header)) {
      this.#sum.expect(this.header.proof?.postApplyChecksum, PROOF_OFFSET)
      if (tracksChecksums(this.header)) this.#sum.expect(trailer.postApplyChecksum, at)
    }
    return trailer
  }
}
