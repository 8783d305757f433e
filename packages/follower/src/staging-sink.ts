import { createKernel, type PageSize } from '@sqlstream/ltx'
import type { PageSink, RestoredImage, RestoreResult } from '@sqlstream/replica'
import type { StagedPages } from './staged-pages.ts'

/** What a restore into staged pages needs. */
export interface StagingTarget {
  readonly pageSize: PageSize
  /** Empty staged pages, on the state that they are compared with. */
  readonly stage: () => StagedPages
  /** Refuses pages of another size. */
  readonly mustFit: (pageSize: number) => void
  /** Pages of that state, for a restore that leads through it. */
  readonly base?: PageSink['base']
  /** Takes the result. */
  readonly finish: (staged: StagedPages, result: RestoreResult) => Promise<void>
}

/** Lets a restore find out in what a state differs from another one. */
export function stagingSink(target: StagingTarget): PageSink & Disposable {
  const { pageSize, stage, mustFit, base, finish } = target
  const kernel = createKernel({ pageSize })
  let staged: StagedPages | undefined

  function inUse(): StagedPages {
    if (!staged) throw new TypeError('begin() comes first')
    return staged
  }

  return {
    ...(base && { base }),
    async begin(shape, { mayReuse }) {
      mustFit(shape.pageSize)
      staged?.[Symbol.dispose]()
      staged = stage()
      // What is not written reads as zeros, not as what the other state has.
      if (!mayReuse) staged.resize(0)
      staged.resize(shape.commit)
    },
    async write({ count, pgnos, data }) {
      for (let from = 0; from < count; from += kernel.capacity) {
        const n = Math.min(kernel.capacity, count - from)
        kernel.pages.set(data.subarray(from * pageSize, (from + n) * pageSize))
        kernel.pgnos.set(pgnos.subarray(from, from + n))
        kernel.checksumPages(n)
        inUse().set({ count: n, pgnos: kernel.pgnos, data: kernel.pages, sums: kernel.pageSums })
      }
    },
    async truncate(commit) {
      inUse().resize(commit)
    },
    async commit(image: RestoredImage) {
      const pages = inUse()
      pages.resize(image.commit)
      pages.fillHoles()
      await finish(pages, image as RestoreResult)
    },
    async abort() {
      staged?.[Symbol.dispose]()
      staged = undefined
    },
    [Symbol.dispose]() {
      staged?.[Symbol.dispose]()
    },
  }
}
