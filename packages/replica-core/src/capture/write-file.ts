import { Encoder, type Header, type PageKernel } from '@sqlstream/ltx'
import { PrimaryError } from '../errors.ts'
import type { Spool, SpoolFile } from '../state/spool.ts'
import { BREATH_BYTES, breathe, type Difference, fillBatch } from './difference.ts'
import type { PageSource } from './page-source.ts'

/**
 * Writes the changed pages of a source as one level-0 file into the spool. The bytes that go into
 * the file are checked against the checksums that the header already promises, so nothing can slip
 * in between verification and writing.
 *
 * @throws PrimaryError `wal-discontinuous` when a page is no longer what was verified
 */
export async function writeFile(
  spool: Spool,
  header: Header,
  source: PageSource,
  changes: Difference,
  kernel: PageKernel,
  options: { readonly previousCommit: number; readonly signal?: AbortSignal | undefined },
): Promise<SpoolFile> {
  const encoder = new Encoder(header, { kernel, previousCommit: options.previousCommit })
  const writer = spool.create()
  try {
    writer.write(encoder.start())
    let sinceBreath = 0
    for (let from = 0; from < changes.count; ) {
      const n = fillChanged(source, changes, from, kernel)
      const frames = encoder.encode(n, { track: true })
      assertUnchanged(changes, from, n, kernel)
      writer.write(frames)
      from += n
      sinceBreath += n * source.pageSize
      if (sinceBreath >= BREATH_BYTES) {
        await breathe(options.signal)
        sinceBreath = 0
      }
    }
    writer.write(encoder.finish())
    return writer.finish(header)
  } catch (error) {
    writer.abort()
    throw error
  }
}

/** Fills the kernel with changed pages from the `from`-th on; runs of neighbours are read at once. */
function fillChanged(source: PageSource, changes: Difference, from: number, kernel: PageKernel): number {
  const n = Math.min(kernel.capacity, changes.count - from)
  const { pageSize } = source
  for (let i = 0; i < n; ) {
    const first = changes.indexes[from + i]!
    let run = 1
    while (i + run < n && changes.indexes[from + i + run] === first + run) run++
    source.read(first, run, kernel.pages.subarray(i * pageSize, (i + run) * pageSize))
    i += run
  }
  for (let i = 0; i < n; i++) kernel.pgnos[i] = changes.pgnos[from + i]!
  return n
}

function assertUnchanged(changes: Difference, from: number, count: number, kernel: PageKernel): void {
  for (let i = 0; i < count; i++) assertSum(changes.sums, (from + i) * 2, i, kernel)
}

/** @throws PrimaryError `wal-discontinuous` */
function assertSum(expected: Uint32Array, at: number, i: number, kernel: PageKernel): void {
  if (kernel.pageSums[i * 2] === expected[at] && kernel.pageSums[i * 2 + 1] === expected[at + 1]) return
  throw new PrimaryError('wal-discontinuous', `page ${kernel.pgnos[i]} changed while it was captured`)
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
  options: { readonly signal?: AbortSignal | undefined; readonly onPages?: (done: number) => void } = {},
): AsyncGenerator<Uint8Array> {
  const encoder = new Encoder(header, { kernel })
  yield encoder.start()
  for (let from = 0; from < source.count; from += kernel.capacity) {
    const n = Math.min(kernel.capacity, source.count - from)
    fillBatch(source, from, n, kernel)
    const frames = encoder.encode(n, { track: true })
    for (let i = 0; i < n; i++) assertSum(expected, kernel.pgnos[i]! * 2 - 2, i, kernel)
    // The view is overwritten by the next batch, and a store may keep what it was given for a while.
    yield frames.slice()
    options.onPages?.(from + n)
    options.signal?.throwIfAborted()
  }
  yield encoder.finish()
}
