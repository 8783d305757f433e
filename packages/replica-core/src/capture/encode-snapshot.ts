import { type DoneBlock, Encoder, type Header, type KernelPool, type PageKernel } from '@sqlstream/ltx'
import { Block } from '@sqlstream/ltx/pool'
import type { MakePool } from '@sqlstream/replica'
import { fillBatch } from './difference.ts'
import type { PageSource } from './page-source.ts'
import { assertSum } from './write-file.ts'

/** Pages of one job. */
const BLOCK_BYTES = 1024 * 1024

/** Options of `encodeSnapshot`. */
export interface EncodeSnapshotOptions {
  readonly signal?: AbortSignal | undefined
  readonly onPages?: ((done: number) => void) | undefined
  /** Threads to encode with, made and closed here. Default: this thread alone. */
  readonly pool?: MakePool | undefined
}

/**
 * Encodes a whole source as the body of a snapshot.
 *
 * @param expected the checksums of all pages, two words a page, that the header promises
 */
export async function* encodeSnapshot(
  header: Header,
  source: PageSource,
  expected: Uint32Array,
  kernel: PageKernel,
  options: EncodeSnapshotOptions = {},
): AsyncGenerator<Uint8Array> {
  const encoder = new Encoder(header, { kernel })
  const check = (pages: Block | PageKernel, count: number): void => {
    for (let i = 0; i < count; i++) assertSum(expected, pages.pgnos[i]! * 2 - 2, i, pages)
  }
  let done = 0
  const progress = (count: number): void => {
    done += count
    options.onPages?.(done)
    options.signal?.throwIfAborted()
  }
  yield encoder.start()
  if (options.pool) {
    for await (const encoded of encodeAhead(source, options.pool, options.signal)) {
      const frames = encoder.append(encoded)
      check(encoded.block, encoded.count)
      // The block goes to a worker again, and a store may keep what it was given for a while.
      yield frames.slice()
      progress(encoded.count)
    }
  }
  while (done < source.count) {
    const n = Math.min(kernel.capacity, source.count - done)
    fillBatch(source, done, n, kernel)
    const frames = encoder.encode(n, { track: true })
    check(kernel, n)
    yield frames.slice()
    progress(n)
  }
  yield encoder.finish()
}

/**
 * Lets a pool encode the pages of a source, in order, each block valid until the next. Ends early when the pool fails: the
 * rest of the pages is for this thread then, since an image that takes longer is better than none.
 */
async function* encodeAhead(
  source: PageSource,
  makePool: MakePool,
  signal: AbortSignal | undefined,
): AsyncGenerator<DoneBlock> {
  const { pageSize } = source
  const capacity = BLOCK_BYTES / pageSize
  const pool = makePool()
  const free: Block[] = []
  const ahead: Promise<DoneBlock | undefined>[] = []
  try {
    for (let from = 0; from < source.count || ahead.length > 0; ) {
      while (from < source.count && ahead.length <= pool.size) {
        const count = Math.min(capacity, source.count - from)
        const block = free.pop() ?? new Block({ pageSize, capacity })
        fillBatch(source, from, count, block)
        ahead.push(encode(pool, block, count, signal))
        from += count
      }
      const done = await ahead.shift()
      signal?.throwIfAborted()
      if (!done) return
      yield done
      free.push(done.block)
    }
  } finally {
    await pool.close()
  }
}

/** undefined when the pool fails or the signal aborts. */
async function encode(
  pool: KernelPool,
  block: Block,
  count: number,
  signal: AbortSignal | undefined,
): Promise<DoneBlock | undefined> {
  try {
    return await pool.run({ kind: 'encode', count, track: true }, block, { signal })
  } catch {
    return undefined
  }
}
