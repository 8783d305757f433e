import { type Checksum, createKernel, isPageSize, lockPgno, type PageSize } from '@sqlstream/ltx'
import type { RestoreBase } from '../index.ts'
import { PageSet } from '../restore/page-set.ts'
import { PageSums } from '../restore/page-sums.ts'
import type { TempFile } from './temp-file.ts'

const CHUNK_BYTES = 1024 * 1024

/** What of an interrupted restore is in its temp file. The checksums are read anew: a power cut may have taken some pages. */
export function baseOfInterrupted(
  temp: TempFile,
  pageSize: PageSize,
  checksum: Checksum,
  pages: PageSet,
): RestoreBase {
  const { sums } = sumsOf(temp, pageSize, pages)
  return { checksum, pages, sums }
}

/** A whole database file, of whatever state it is. Undefined if its pages have another size, or it is none. */
export function baseOfCopy(temp: TempFile, pageSize: PageSize): RestoreBase | undefined {
  const size = temp.size()
  const header = new Uint8Array(100)
  if (size < pageSize || size % pageSize !== 0 || temp.read(header, 0) < 100) return undefined
  const told = ((header[16] as number) << 8) | (header[17] as number)
  const ownSize = told === 1 ? 65536 : told
  if (!isPageSize(ownSize) || ownSize !== pageSize) return undefined
  const pages = new PageSet(size / pageSize)
  const lock = lockPgno(pageSize)
  for (let pgno = 1; pgno <= pages.commit; pgno++) if (pgno !== lock) pages.add(pgno)
  return { pages, ...sumsOf(temp, pageSize, pages) }
}

/** The checksums of these pages as they are in the file, and their sum as a database checksum. */
function sumsOf(
  temp: TempFile,
  pageSize: PageSize,
  pages: PageSet,
): { readonly sums: Uint32Array; readonly checksum: Checksum } {
  const { commit } = pages
  const sums = new PageSums()
  sums.resize(commit, commit)
  const kernel = createKernel({ pageSize, batchBytes: CHUNK_BYTES })
  for (let first = 1; first <= commit; first += kernel.capacity) {
    const count = Math.min(kernel.capacity, commit - first + 1)
    const target = kernel.pages.subarray(0, count * pageSize)
    target.fill(0, temp.read(target, (first - 1) * pageSize))
    for (let i = 0; i < count; i++) kernel.pgnos[i] = first + i
    kernel.checksumPages(count)
    for (let i = 0; i < count; i++) {
      if (!pages.has(first + i)) continue
      sums.put(first + i, kernel.pageSums[2 * i] as number, kernel.pageSums[2 * i + 1] as number)
    }
  }
  return { sums: sums.words(), checksum: sums.checksum() }
}
