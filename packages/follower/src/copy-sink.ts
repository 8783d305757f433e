import { PageSet, type PageSink, ReplicaError } from '@sqlstream/replica'
import type { LocalCopy } from './local-copy.ts'
import type { StagingBase } from './staged-pages.ts'
import { stagingSink } from './staging-sink.ts'

/** The copy itself as the target of a restore. */
export interface CopySink {
  readonly sink: PageSink & Disposable
  /** Pages written so far. */
  pages(): number
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
  const base = baseOf({ pageSize, commit, checksum, sums })
  let written = 0
  const sink = stagingSink({
    pageSize,
    stage: () => copy.stageOn(base),
    mustFit,
    base: async () => {
      const pages = new PageSet(commit)
      for (let pgno = 1; pgno <= commit; pgno++) {
        if (sums[2 * pgno - 2] !== 0 || sums[2 * pgno - 1] !== 0) pages.add(pgno)
      }
      return { checksum, pages, sums }
    },
    finish: async (staged, { pos, timestamp, proven }) => {
      if (proven && staged.checksum !== pos.postApplyChecksum) {
        throw new ReplicaError(
          'corrupt',
          'the pages of the copy changed while it was brought to another state',
        )
      }
      const target = { txid: pos.txid, timestamp: timestamp.getTime(), isElsewhere: true }
      written = await copy.apply(staged, target, signal)
    },
  })
  return { sink, pages: () => written }
}

/** A state of which the checksums of all pages are at hand, two words a page. */
export function baseOf(state: Omit<StagingBase, 'sumOf'> & { readonly sums: Uint32Array }): StagingBase {
  const { sums, ...rest } = state
  return { ...rest, sumOf: (pgno, into) => into.set(sums.subarray(2 * pgno - 2, 2 * pgno)) }
}
