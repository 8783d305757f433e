import { createKernel } from '@sqlstream/ltx'
import { PageSet, type PageSink, ReplicaError, type RestoreResult } from '@sqlstream/replica'
import type { LocalCopy } from './local-copy.ts'
import type { StagedPages, StagingBase } from './staged-pages.ts'

/** The copy itself as the target of a restore. */
export interface CopySink extends PageSink, Disposable {
  /** Pages written by `commit`. */
  readonly pages: number
}

/**
 * Lets a restore bring a copy to another state of the replica in one step that readers see as one transaction: pages that differ are staged, and
 * applied at the end. For what no file leads to from where the copy stands.
 */
export function copySink(
  copy: LocalCopy,
  mustFit: (pageSize: number) => void,
  signal: AbortSignal,
): CopySink {
  const { sums, checksum } = copy.scan()
  const { pageSize, commit } = copy.position
  const base: StagingBase = {
    pageSize,
    commit,
    checksum,
    sumOf: (pgno, into) => into.set(sums.subarray(2 * pgno - 2, 2 * pgno)),
  }
  const kernel = createKernel({ pageSize })
  let staged: StagedPages | undefined
  let written = 0

  function inUse(): StagedPages {
    if (!staged) throw new TypeError('begin() comes first')
    return staged
  }

  return {
    get pages() {
      return written
    },
    async begin(shape, { mayReuse }) {
      mustFit(shape.pageSize)
      staged?.[Symbol.dispose]()
      staged = copy.stageOn(base)
      // What is not written reads as zeros, not as what the copy has.
      if (!mayReuse) staged.resize(0)
      staged.resize(shape.commit)
    },
    async base() {
      const pages = new PageSet(commit)
      for (let pgno = 1; pgno <= commit; pgno++) {
        if (sums[2 * pgno - 2] !== 0 || sums[2 * pgno - 1] !== 0) pages.add(pgno)
      }
      return { checksum, pages, sums }
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
    async truncate(newCommit) {
      inUse().resize(newCommit)
    },
    async commit(result) {
      const pages = inUse()
      pages.resize(result.commit)
      pages.fillHoles()
      const { pos, timestamp, proven } = result as RestoreResult
      if (proven && pages.checksum !== pos.postApplyChecksum) {
        throw new ReplicaError(
          'corrupt',
          'the pages of the copy changed while it was brought to another state',
        )
      }
      written = await copy.apply(pages, { txid: pos.txid, timestamp: timestamp.getTime() }, signal)
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
