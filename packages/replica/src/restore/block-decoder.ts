import type { DoneBlock, KernelPool, PageSize } from '@sqlstream/ltx'
import { Block, createJobRunner } from '@sqlstream/ltx/pool'
import { abortable } from '@sqlstream/storage'

/** Pages of a block, in bytes. */
const BLOCK_BYTES = 1024 * 1024

/** Frames do not decode, or are not those of the pages that the index names. Which file is to blame, whole files tell. */
export class DamagedFrames extends Error {
  override readonly name = 'DamagedFrames'
}

/** A block that is being filled with frames, and the numbers of the pages that must be in them. */
export class Filling {
  readonly block: Block
  readonly pgnos: Uint32Array
  count = 0
  bytes = 0

  constructor(block: Block) {
    this.block = block
    this.pgnos = new Uint32Array(block.capacity)
  }

  /** Whether one more frame of this size fits. Throws DamagedFrames for one that no block would hold. */
  hasRoom(size: number): boolean {
    const { capacity, frames } = this.block
    if (size > frames.byteLength / capacity) throw new DamagedFrames(`a frame of ${size} bytes`)
    return this.count < capacity
  }
}

/** What of a block goes to the sink. Views are valid until `free`. */
export interface DecodedPages {
  readonly count: number
  readonly pgnos: Uint32Array
  readonly data: Uint8Array
  readonly sums: Uint32Array
}

/**
 * Decodes blocks of frames, in a pool or in this thread, and hands each to `accept`, one at a time, in whatever order they come.
 * Has `blocks` blocks: who wants one more waits.
 */
export class BlockDecoder {
  readonly #pool: KernelPool | undefined
  readonly #run = createJobRunner()
  readonly #accept: (pages: DecodedPages) => Promise<void>
  readonly #shape: { readonly pageSize: PageSize; readonly capacity: number }
  readonly #free: Block[] = []
  readonly #waiting: ((block: Block) => void)[] = []
  readonly #running = new Set<Promise<void>>()
  #unmade: number
  #accepting: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  readonly #signal: AbortSignal

  constructor(options: {
    readonly pageSize: PageSize
    readonly pool: KernelPool | undefined
    readonly blocks: number
    readonly signal: AbortSignal
    readonly accept: (pages: DecodedPages) => Promise<void>
  }) {
    const { pageSize, pool, blocks, signal, accept } = options
    this.#shape = { pageSize, capacity: Math.max(1, Math.floor(BLOCK_BYTES / pageSize)) }
    this.#pool = pool
    this.#unmade = blocks
    this.#signal = signal
    this.#accept = accept
  }

  /** An empty block, as soon as one is free. */
  async take(): Promise<Filling> {
    this.#check()
    const free = this.#free.pop()
    if (free) return new Filling(free)
    if (this.#unmade > 0) {
      this.#unmade--
      return new Filling(new Block(this.#shape))
    }
    const { promise, resolve } = Promise.withResolvers<Block>()
    this.#waiting.push(resolve)
    const block = await abortable(promise, this.#signal)
    this.#check()
    return new Filling(block)
  }

  /** Takes a block back, to decode what is in it. */
  submit(filling: Filling): void {
    const work = this.#decode(filling).catch((error: unknown) => {
      this.#failure ??= { error }
      // Whoever waits learns of the failure instead of getting a block that is lost.
      for (const resolve of this.#waiting.splice(0)) resolve(filling.block)
    })
    this.#running.add(work)
    void work.then(() => this.#running.delete(work))
  }

  /** Until all is decoded and accepted. Throws what was the first to fail. */
  async settle(): Promise<void> {
    await this.idle()
    this.#check()
  }

  /** Until nothing runs any more, whatever became of it. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
    this.#signal.throwIfAborted()
  }

  async #decode({ block, pgnos, count, bytes }: Filling): Promise<void> {
    if (count === 0) return this.#release(block)
    const done = await this.#work(block, bytes)
    if (!done.ok || done.count !== count || !isSame(pgnos, done.block.pgnos, count)) {
      throw new DamagedFrames(`${count} frames from page ${pgnos[0]} on`)
    }
    const { pgnos: decoded, pages, pageSums } = done.block
    const accept = this.#accepting.then(async () => {
      this.#check()
      await this.#accept({
        count,
        pgnos: decoded.subarray(0, count),
        data: pages.subarray(0, count * block.pageSize),
        sums: pageSums.subarray(0, 2 * count),
      })
    })
    this.#accepting = accept.catch(() => undefined)
    await accept
    this.#release(done.block)
  }

  async #work(block: Block, bytes: number): Promise<DoneBlock> {
    const job = { kind: 'decode', bytes, wantPages: true } as const
    if (this.#pool) return await this.#pool.run(job, block, { signal: this.#signal })
    const { outcome } = this.#run({ job, shape: this.#shape, buffer: block.buffer })
    return { ...outcome, block }
  }

  #release(block: Block): void {
    const next = this.#waiting.shift()
    if (next) next(block)
    else this.#free.push(block)
  }
}

function isSame(a: Uint32Array, b: Uint32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[i] !== b[i]) return false
  return true
}
