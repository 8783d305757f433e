import type { PageKernel } from '@sqlstream/ltx'
import { BREATH_BYTES, breathe } from '../breathe.ts'
import { applyChanges, type LedgerChanges } from '../state/journal.ts'
import { Ledger } from '../state/ledger.ts'
import type { DatabaseView, PageSource } from './page-source.ts'

/** Which pages of a source differ from the ledger, and their new checksums. */
export interface Difference extends LedgerChanges {
  /** Index in the source of each changed page. */
  readonly indexes: Uint32Array
}

/** What is known of the pages of a database. */
export type KnownPages = Pick<Ledger, 'pageCount' | 'low' | 'high'>

/**
 * Compares the pages of a source with the ledger, by checksum. A page whose content did not change
 * is not worth a place in a file.
 * Pages above the ledger's end always count as changed: a file must hold all that a database grew by.
 */
export async function difference(
  source: PageSource,
  ledger: KnownPages,
  kernel: PageKernel,
  options: { readonly signal?: AbortSignal | undefined; readonly onPages?: (done: number) => void } = {},
): Promise<Difference> {
  let capacity = Math.min(source.count, 1024)
  let pgnos = new Uint32Array(capacity)
  let indexes = new Uint32Array(capacity)
  let sums = new Uint32Array(capacity * 2)
  let count = 0
  let sinceBreath = 0
  for (let from = 0; from < source.count; from += kernel.capacity) {
    const n = Math.min(kernel.capacity, source.count - from)
    fillBatch(source, from, n, kernel)
    kernel.checksumPages(n)
    for (let i = 0; i < n; i++) {
      const pgno = kernel.pgnos[i]!
      const low = kernel.pageSums[i * 2]!
      const high = kernel.pageSums[i * 2 + 1]!
      if (pgno <= ledger.pageCount && ledger.low(pgno) === low && ledger.high(pgno) === high) continue
      if (count === capacity) {
        capacity *= 2
        pgnos = grown(pgnos, capacity)
        indexes = grown(indexes, capacity)
        sums = grown(sums, capacity * 2)
      }
      pgnos[count] = pgno
      indexes[count] = from + i
      sums[count * 2] = low
      sums[count * 2 + 1] = high
      count++
    }
    sinceBreath += n * source.pageSize
    if (sinceBreath >= BREATH_BYTES) {
      options.onPages?.(from + n)
      await breathe(options.signal)
      sinceBreath = 0
    }
  }
  return { count, pgnos: pgnos.subarray(0, count), indexes, sums: sums.subarray(0, count * 2) }
}

/** The checksums of all pages of a database. */
export async function ledgerOf(
  view: DatabaseView,
  kernel: PageKernel,
  options: { readonly signal?: AbortSignal | undefined; readonly onPages?: (done: number) => void },
): Promise<Ledger> {
  const changes = await difference(view, new Ledger(), kernel, options)
  const ledger = new Ledger(view.commit)
  applyChanges(ledger, view.commit, changes)
  return ledger
}

/** Puts pages of a source and their numbers into the memory of a kernel. */
export function fillBatch(
  source: PageSource,
  from: number,
  count: number,
  { pages, pgnos }: Pick<PageKernel, 'pages' | 'pgnos'>,
): void {
  source.read(from, count, pages.subarray(0, count * source.pageSize))
  for (let i = 0; i < count; i++) pgnos[i] = source.pgno(from + i)
}

function grown(old: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const array = new Uint32Array(length)
  array.set(old)
  return array
}
