import { createHeader, createKernel, Encoder, type Header, type Pos, toTXID } from '@sqlstream/ltx'
import {
  type LTXFile,
  type MakePool,
  type PageSink,
  type Progress,
  type Replica,
  type ReplicaWriter,
  type RestorePlan,
  type RestoreResult,
  restore,
} from '@sqlstream/replica'
import { baseOf } from './copy-sink.ts'
import { cookieOf, setCookie } from './page-one.ts'
import { mustHavePageSize } from './stage-file.ts'
import { StagedPages } from './staged-pages.ts'
import { stagingSink } from './staging-sink.ts'

/** Options of `rollBack`. */
export interface RollBackOptions {
  /** A path of no file: what does not fit into memory goes there, and nothing stays. */
  readonly spillPath: string
  /** Find out what would be written, and write nothing. Default false. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly pool?: MakePool | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** What a rollback has done. */
export interface RollBackResult {
  /** The newest state before: what to roll back to in order to undo it. */
  readonly from: Pos
  /** The state whose content is the newest again. */
  readonly to: Pos
  readonly timestamp: Date
  /** Pages in which the two differ. */
  readonly pages: number
  /** Pages before and after. */
  readonly commits: { readonly from: number; readonly to: number }
  /** What was put; absent when nothing differs, and after a dry run. */
  readonly file?: LTXFile | undefined
}

/**
 * Makes a past state the newest one of a replica, without losing what came after it: a file with the next TXID holds the pages in which the past
 * differs from the newest state. Everything that was restorable stays so. Reads both states. Where the schema is another one, its cookie in page 1 is
 * raised, which is the only thing in which the new state differs from the past one.
 *
 * @param head plan of the newest state
 * @param past plan of the state to go back to
 * @throws ReplicaError `corrupt`, `fenced`; FollowerError `page-size-changed`; the store's errors
 */
export async function rollBack(
  replica: Replica,
  writer: ReplicaWriter | undefined,
  head: RestorePlan,
  past: RestorePlan,
  options: RollBackOptions,
): Promise<RollBackResult> {
  const { signal, pool, onProgress, spillPath, dryRun = false } = options
  const { sink: ground, pageOne } = pageOneOnly()
  const newest = await restore(replica, head, ground, { signal, pool, onProgress })
  const { pageSize, commit, pageSums } = newest
  const base = baseOf({ pageSize, commit, checksum: newest.pos.postApplyChecksum, sums: pageSums })
  let result: RollBackResult | undefined
  using sink = stagingSink({
    pageSize,
    stage: () => new StagedPages(base, spillPath),
    mustFit: (size) => mustHavePageSize(size, pageSize),
    finish: async (staged, then) => {
      raiseCookie(staged, pageOne())
      const file =
        dryRun || writer === undefined ? undefined : await append(writer, staged, newest, then, signal)
      result = {
        from: newest.pos,
        to: then.pos,
        timestamp: then.timestamp,
        pages: staged.pgnos().length,
        commits: { from: commit, to: then.commit },
        file,
      }
    },
  })
  await restore(replica, past, sink, { signal, pool, onProgress })
  return result as unknown as RollBackResult
}

async function append(
  writer: ReplicaWriter,
  staged: StagedPages,
  newest: RestoreResult,
  then: RestoreResult,
  signal: AbortSignal | undefined,
): Promise<LTXFile | undefined> {
  const isProven = newest.proven && then.proven
  const pgnos = staged.pgnos()
  // Of states that differ in their size, the first pages differ too: it is told there.
  if (pgnos.length === 0) return undefined
  const txid = toTXID(newest.pos.txid + 1n)
  // Times of states never go back.
  const timestamp = new Date(Math.max(Date.now(), newest.timestamp.getTime()))
  const proof = { preApplyChecksum: newest.pos.postApplyChecksum, postApplyChecksum: staged.checksum }
  const header = createHeader({
    minTXID: txid,
    maxTXID: txid,
    pageSize: staged.pageSize,
    commit: staged.commit,
    timestamp: timestamp.getTime(),
    nodeId: writer.lease.epoch,
    ...(isProven && { proof }),
  })
  const body = { open: () => encode(header, staged, pgnos, newest.commit), chunksStay: true }
  return await writer.put(0, header, body, { timestamp, signal })
}

async function* encode(
  header: Header,
  staged: StagedPages,
  pgnos: readonly number[],
  previousCommit: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { pageSize } = header
  const encoder = new Encoder(header, { previousCommit })
  const { kernel } = encoder
  yield encoder.start().slice()
  for (let from = 0; from < pgnos.length; from += kernel.capacity) {
    const count = Math.min(kernel.capacity, pgnos.length - from)
    for (let i = 0; i < count; i++) {
      const pgno = pgnos[from + i] as number
      kernel.pgnos[i] = pgno
      staged.read(pgno, kernel.pages.subarray(i * pageSize, (i + 1) * pageSize))
    }
    yield encoder.encode(count).slice()
  }
  yield encoder.finish().slice()
}

/**
 * A connection that slept while the schema went back, and became another one from there, must not take that for the one it knows. So the schema cookie
 * of a replica never goes back: of two states with the same one, the schema is the same.
 */
function raiseCookie(staged: StagedPages, before: Uint8Array): void {
  const after = new Uint8Array(staged.pageSize)
  if (!staged.read(1, after)) return
  const cookies = [cookieOf(before), cookieOf(after)] as const
  if (cookies[0] === cookies[1] && Buffer.compare(before.subarray(100), after.subarray(100)) === 0) return
  setCookie(after, cookies[0])
  // With nothing but the cookie to go back, page 1 stays as it is.
  if (Buffer.compare(before, after) !== 0) setCookie(after, (Math.max(...cookies) + 1) >>> 0)
  const kernel = createKernel({ pageSize: staged.pageSize, batchBytes: staged.pageSize })
  kernel.pages.set(after)
  kernel.pgnos[0] = 1
  kernel.checksumPages(1)
  staged.set({ count: 1, pgnos: kernel.pgnos, data: kernel.pages, sums: kernel.pageSums })
}

/** Where pages go of which only the checksums are wanted, and page 1. */
function pageOneOnly(): { readonly sink: PageSink; readonly pageOne: () => Uint8Array } {
  const nothing = async (): Promise<void> => {}
  let size = 0
  let found = new Uint8Array(0)
  const sink: PageSink = {
    async begin({ pageSize }) {
      size = pageSize
    },
    async write({ count, pgnos, data }) {
      for (let i = 0; i < count; i++) if (pgnos[i] === 1) found = data.slice(i * size, (i + 1) * size)
    },
    truncate: nothing,
    commit: nothing,
    abort: nothing,
  }
  return { sink, pageOne: () => found }
}
