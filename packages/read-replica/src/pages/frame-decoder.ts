import { createKernel, LTXError, type PageKernel, type PageSize } from '@sqlstream/ltx'
import type { RangeRequest, WantedPage } from './read-ahead.ts'

const BATCH_BYTES = 256 * 1024

/** Turns frames into pages; one kernel for each page size that occurs. */
export class FrameDecoder {
  readonly #kernels = new Map<PageSize, PageKernel>()

  /**
   * Hands each wanted page of a range to `accept`; its bytes are valid during the call alone. Throws LTXError when a frame is not that of the page that the
   * index names, or does not hold a page of this size.
   */
  decode(
    { offset, pages }: RangeRequest,
    bytes: Uint8Array,
    pageSize: PageSize,
    accept: (page: WantedPage, data: Uint8Array) => void,
  ): void {
    const kernel = this.#kernel(pageSize)
    const largest = Math.floor(kernel.frames.byteLength / kernel.capacity)
    for (let from = 0; from < pages.length; ) {
      const first = pages[from] as WantedPage
      let end = first.offset
      let to = from
      while (to < pages.length && to - from < kernel.capacity) {
        const page = pages[to] as WantedPage
        if (page.offset !== end) break
        if (page.size > largest) throw bad(page, `a frame of ${page.size} bytes`)
        end += page.size
        to++
      }
      kernel.frames.set(bytes.subarray(first.offset - offset, end - offset))
      kernel.reset()
      const step = kernel.decode(end - first.offset, to - from, false)
      if (step.pages !== to - from) throw bad(first, `${step.pages} of ${to - from} frames`)
      for (let i = 0; i < step.pages; i++) {
        const page = pages[from + i] as WantedPage
        if (kernel.pgnos[i] !== page.pgno) throw bad(page, `the frame of page ${kernel.pgnos[i]}`)
        accept(page, kernel.pages.subarray(i * pageSize, (i + 1) * pageSize))
      }
      from = to
    }
  }

  #kernel(pageSize: PageSize): PageKernel {
    let kernel = this.#kernels.get(pageSize)
    if (!kernel) {
      kernel = createKernel({ pageSize, batchBytes: BATCH_BYTES })
      this.#kernels.set(pageSize, kernel)
    }
    return kernel
  }
}

function bad({ pgno, offset }: WantedPage, message: string): LTXError {
  return new LTXError('bad-page', `page ${pgno}: ${message}`, { offset })
}
