import { createKernel, type PageKernel, type PageSize } from '@sqlstream/ltx'

/** Bytes of pages that a capture encodes at once. */
export const BATCH_BYTES: number = 256 * 1024
/** Of each page size that are kept. In one thread few captures are under way at once: most of one is done without a pause. */
const MOST_SPARE = 4

const spare = new Map<PageSize, PageKernel[]>()

/**
 * Does a piece of work with a kernel that is its own until it is done. A kernel takes more than half a MiB, which a thousand open
 * databases need not have each; so they are kept for the next work of any database of this thread. The work must not use it
 * after it has settled.
 */
export async function withKernel<T>(
  pageSize: PageSize,
  work: (kernel: PageKernel) => Promise<T>,
): Promise<T> {
  const kernel = spare.get(pageSize)?.pop() ?? createKernel({ pageSize, batchBytes: BATCH_BYTES })
  try {
    return await work(kernel)
  } finally {
    const kept = spare.get(pageSize) ?? []
    if (kept.length < MOST_SPARE) kept.push(kernel)
    spare.set(pageSize, kept)
  }
}
