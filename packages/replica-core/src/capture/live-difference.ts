import { createHeader, createKernel, Encoder, type Header, type PageKernel, toTXID } from '@sqlstream/ltx'
import type { DatabaseState, Owed, PageBits } from '../state/owed.ts'
import type { Position } from '../state/position.ts'
import type { CaptureContext, LiveSnapshot } from './context.ts'
import { type Difference, difference, type KnownPages } from './difference.ts'
import type { PageSource } from './page-source.ts'
import type { WALScan } from './scan.ts'
import { takeView } from './view.ts'
import { assertUnchanged, fillChanged } from './write-file.ts'

/** What a live difference is made of. */
export interface DifferenceParts {
  readonly scan: WALScan
  readonly kernel: PageKernel
  readonly batchBytes: number
  readonly timestamp: number
  /** Notes what is owed from now on. */
  readonly note: (owed: Owed) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes good what is owed: one file that leads from a base, where the replica is, to what the database is now. It is read from the
 * database while it is sent, so it takes no space on the disk; the holder must not move meanwhile. Position and ledger are those
 * after it.
 *
 * @throws PrimaryError `disk-full`, `busy`, `page-size-changed`, `wal-discontinuous`
 */
export async function takeDifference(
  c: CaptureContext,
  owed: Owed,
  base: DatabaseState,
  { scan, kernel, batchBytes, timestamp, note, signal }: DifferenceParts,
): Promise<LiveSnapshot> {
  const { state, pageSize } = c
  const before = state.position as Position
  const view = await takeView(c, scan)
  const changes = await difference(view.pages, without(state.ledger, owed.pages), kernel, { signal })
  view.proveAgain()
  const { commit } = view.pages
  const postApplyChecksum = state.ledger.checksumAfter(commit, changes.count, changes.pgnos, changes.sums)
  const txid = toTXID(before.txid + 1n)
  const header = createHeader({
    pageSize,
    commit,
    minTXID: toTXID(base.txid + 1n),
    maxTXID: txid,
    timestamp,
    nodeId: c.epoch(),
    proof: { preApplyChecksum: base.checksum, postApplyChecksum },
  })
  const pages = owed.pages.copy()
  pages.addAll(changes.pgnos)
  const ends = [
    { txid: before.txid, checksum: before.postApplyChecksum },
    { txid, checksum: postApplyChecksum },
  ]
  // First: whoever finds the new position must know what the replica lacks of it.
  note({ ...owed, ends, pages })
  state.advance({ txid, postApplyChecksum, pageSize, commit, timestamp, wal: view.wal }, changes)
  await state.synced()
  c.holder.captured(view.backfilled)
  const previousCommit = Math.min(before.commit, commit)
  return {
    level: 0,
    header,
    pages: changes.count,
    body: (options) =>
      // A kernel of its own: captures go on while it is sent.
      encodeDifference(header, view.pages, changes, {
        ...options,
        previousCommit,
        kernel: createKernel({ pageSize, batchBytes }),
      }),
  }
}

/** A ledger in which these pages differ from whatever they are compared with. */
function without(ledger: KnownPages, pages: PageBits): KnownPages {
  return {
    pageCount: ledger.pageCount,
    // No checksum of a page is 0: one bit of it is always set.
    low: (pgno) => (pages.has(pgno) ? 0 : ledger.low(pgno)),
    high: (pgno) => (pages.has(pgno) ? 0 : ledger.high(pgno)),
  }
}

async function* encodeDifference(
  header: Header,
  source: PageSource,
  changes: Difference,
  options: {
    readonly kernel: PageKernel
    readonly previousCommit: number
    readonly signal?: AbortSignal
    readonly onPages?: (done: number) => void
  },
): AsyncGenerator<Uint8Array> {
  const { kernel, previousCommit, signal, onPages } = options
  const encoder = new Encoder(header, { kernel, previousCommit })
  yield encoder.start()
  for (let from = 0; from < changes.count; ) {
    const n = fillChanged(source, changes, from, kernel)
    const frames = encoder.encode(n, { track: true })
    assertUnchanged(changes, from, n, kernel)
    // A store may keep what it was given for a while.
    yield frames.slice()
    from += n
    onPages?.(from)
    signal?.throwIfAborted()
  }
  yield encoder.finish()
}
