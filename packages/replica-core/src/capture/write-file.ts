import { Encoder, type Header, type PageKernel } from '@sqlstream/ltx'
import { BREATH_BYTES, breathe } from '../breathe.ts'
import { PrimaryError } from '../errors.ts'
import type { Spool, SpoolFile } from '../state/spool.ts'
import type { Difference } from './difference.ts'
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
    // Header and tail go with the frames beside them: what fits into one batch is one call.
    let parts = [encoder.start()]
    let sinceBreath = 0
    for (let from = 0; from < changes.count; ) {
      const n = fillChanged(source, changes, from, kernel)
      const frames = encoder.encode(n, { track: true })
      assertUnchanged(changes, from, n, kernel)
      parts.push(frames)
      from += n
      if (from === changes.count) break
      writer.write(...parts)
      parts = []
      sinceBreath += n * source.pageSize
      if (sinceBreath >= BREATH_BYTES) {
        await breathe(options.signal)
        sinceBreath = 0
      }
    }
    parts.push(encoder.finish())
    writer.write(...parts)
    return writer.finish(header)
  } catch (error) {
    writer.abort()
    throw error
  }
}

/** Fills the kernel with changed pages from the `from`-th on; runs of neighbours are read at once. */
export function fillChanged(
  source: PageSource,
  changes: Difference,
  from: number,
  kernel: PageKernel,
): number {
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

/** @throws PrimaryError `wal-discontinuous` when a page of a batch is no longer what was compared */
export function assertUnchanged(changes: Difference, from: number, count: number, kernel: PageKernel): void {
  for (let i = 0; i < count; i++) assertSum(changes.sums, (from + i) * 2, i, kernel)
}

/**
 * Compares the i-th page of a batch with the two words at `at`.
 *
 * @throws PrimaryError `wal-discontinuous`
 */
export function assertSum(
  expected: Uint32Array,
  at: number,
  i: number,
  { pgnos, pageSums }: Pick<PageKernel, 'pgnos' | 'pageSums'>,
): void {
  if (pageSums[i * 2] === expected[at] && pageSums[i * 2 + 1] === expected[at + 1]) return
  throw new PrimaryError('wal-discontinuous', `page ${pgnos[i]} changed while it was captured`)
}
