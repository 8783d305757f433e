import type { StreamReader } from '../byte-stream.ts'
import { crc64Combine } from '../crc64.ts'
import { type FrameBatch, type FrameSource, frameBatch, KernelFrames } from '../frame-source.ts'
import type { PageKernel } from '../kernel/page-kernel.ts'
import { Block } from './block.ts'
import { FrameWalk } from './frame-walk.ts'
import type { DoneBlock, KernelPool } from './kernel-pool.ts'

/** A block and the bytes that were read into its frames. */
interface FilledBlock {
  readonly block: Block
  readonly bytes: number
  /** A full batch of plain frames. Otherwise it is the last block, and for this thread. */
  readonly full: boolean
}

/** What reading ahead leads to. */
interface Ahead {
  readonly filled: FilledBlock
  /** What the pool made of a full block. */
  readonly done?: DoneBlock
}

/** Least that is asked of the source at a time. */
const LEAST_READ = 64 * 1024

/**
 * Lets a pool decode the frames of a stream, some batches ahead, and hands them out in order. Workers get full batches of
 * plain frames. From the first batch on that has anything else in it - the end mark, old pages, damage, the end of the
 * stream - this thread decodes, so there is one place that judges, and batches and errors are those of KernelFrames.
 *
 * Memory: pool.size + 2 blocks beside the kernel's.
 */
export class PoolFrames implements FrameSource {
  readonly #kernel: PageKernel
  readonly #reader: StreamReader
  readonly #pool: KernelPool
  readonly #signal: AbortSignal | undefined
  /** The next batches in order; those that are not read yet wait for the one before. */
  readonly #ahead: Promise<Ahead>[] = []
  #lastRead: Promise<FilledBlock | undefined> = Promise.resolve(undefined)
  readonly #free: Block[] = []
  /** Belongs to the batch handed out last. */
  #lent: Block | undefined
  /** Bytes behind the last full batch that was read. */
  #carry: Uint8Array = new Uint8Array(0)
  /** Average in the last batch: how much to read for the next. */
  #frameSize: number
  #wantPages = true
  /** CRC and size of the file up to the batch handed out last. */
  #crc: bigint
  #offset: number
  #rest: KernelFrames | undefined

  /** The frames begin at `offset` in the file; the kernel has hashed what is before them. */
  constructor(
    kernel: PageKernel,
    reader: StreamReader,
    offset: number,
    options: { readonly pool: KernelPool; readonly signal: AbortSignal | undefined },
  ) {
    this.#kernel = kernel
    this.#reader = reader
    this.#offset = offset
    this.#crc = kernel.digest()
    this.#pool = options.pool
    this.#signal = options.signal
    this.#frameSize = kernel.pageSize / 2
  }

  async next(): Promise<FrameBatch> {
    if (this.#rest) return await this.#rest.next()
    this.#signal?.throwIfAborted()
    if (this.#lent) this.#free.push(this.#lent)
    this.#lent = undefined
    while (this.#ahead.length <= this.#pool.size) this.#ahead.push(this.#readAhead())
    const { filled, done } = await this.#ahead.shift()!
    this.#signal?.throwIfAborted()
    if (!done) {
      this.#takeOver(filled.block, filled.bytes)
      this.#rest = new KernelFrames(this.#kernel, this.#reader, this.#offset, filled.bytes)
      return await this.#rest.next()
    }
    this.#lent = done.block
    return done.ok ? this.#accept(done) : this.#decodeHere(done.block, filled.bytes)
  }

  dropPages(): void {
    this.#wantPages = false
  }

  #accept({ block, count, bytes, crc, hashed }: DoneBlock): FrameBatch {
    this.#crc = crc64Combine(this.#crc, crc, hashed)
    this.#offset += bytes
    return {
      count,
      pgnos: block.pgnos.subarray(0, count),
      data: block.pages.subarray(0, count * block.pageSize),
      sums: block.pageSums.subarray(0, 2 * count),
      frames: block.frames.subarray(0, bytes),
      frameSizes: block.frameSizes.subarray(0, count),
      end: false,
    }
  }

  /** A worker could not: this says what is wrong, and where in the file. */
  #decodeHere(block: Block, bytes: number): FrameBatch {
    const kernel = this.#kernel
    this.#takeOver(block, bytes)
    const { pages, consumed } = kernel.decode(bytes, kernel.capacity, true)
    this.#crc = kernel.digest()
    this.#offset += consumed
    return frameBatch(kernel, pages, consumed, false)
  }

  /** Brings the kernel to where the pool is, with the block's frames in it. */
  #takeOver(block: Block, bytes: number): void {
    const kernel = this.#kernel
    kernel.reset()
    // All that came before counts as one part, as long as the file is, so that errors tell the right offset.
    kernel.append(this.#crc, this.#offset)
    kernel.frames.set(block.frames.subarray(0, bytes))
  }

  #readAhead(): Promise<Ahead> {
    const read = this.#lastRead.then((last) => (last && !last.full ? last : this.#fill()))
    this.#lastRead = read
    const ahead = read.then((filled) => this.#send(filled))
    // Told when its turn comes, if it does.
    ahead.catch(() => undefined)
    return ahead
  }

  async #send(filled: FilledBlock): Promise<Ahead> {
    if (!filled.full) return { filled }
    const { block, bytes } = filled
    const job = { kind: 'decode', bytes, wantPages: this.#wantPages } as const
    return { filled, done: await this.#pool.run(job, block, { signal: this.#signal }) }
  }

  /** Reads until the block has `capacity` whole frames; anything else makes it the last one. */
  async #fill(): Promise<FilledBlock> {
    const { pageSize, capacity } = this.#kernel
    const block = this.#free.pop() ?? new Block({ pageSize, capacity })
    const { frames } = block
    frames.set(this.#carry)
    let bytes = this.#carry.byteLength
    const walk = new FrameWalk(frames, pageSize)
    for (;;) {
      walk.advance(bytes, capacity)
      if (walk.count === capacity) break
      const missing = (capacity - walk.count) * this.#frameSize
      const goal = Math.min(frames.byteLength, Math.max(bytes + LEAST_READ, Math.ceil(walk.end + missing)))
      const filled = walk.odd ? bytes : await this.#reader.fill(frames, bytes, goal)
      if (filled === bytes) {
        this.#carry = new Uint8Array(0)
        return { block, bytes, full: false }
      }
      bytes = filled
    }
    this.#frameSize = walk.end / capacity
    this.#carry = frames.slice(walk.end, bytes)
    return { block, bytes: walk.end, full: true }
  }
}
