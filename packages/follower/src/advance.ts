import { formatChecksum, formatTXID, type Pos, type TXID, toTXID } from '@sqlstream/ltx'
import {
  type Catalog,
  capturesAfter,
  filesOf,
  inOrder,
  type LTXFile,
  ltxKey,
  planContinuation,
  planRestore,
  type Replica,
  ReplicaError,
  type RestorePlan,
  restore,
} from '@sqlstream/replica'
import { createModestPool } from '@sqlstream/replica/node'
import { getBytes, isStorageError, readResumable } from '@sqlstream/storage'
import { copySink } from './copy-sink.ts'
import { FollowerError } from './errors.ts'
import type { FollowerListener } from './events.ts'
import type { LocalCopy } from './local-copy.ts'
import { DIVERGED_HINT, mustHavePageSize, stageFile } from './stage-file.ts'

/** LTX bytes that are applied as one transaction of SQLite. */
const GROUP_BYTES = 16 * 1024 * 1024
/** Files up to this size are fetched as a whole, several side by side. */
const SMALL_BYTES = 1024 * 1024
const PARALLEL_FETCHES = 8

/** What advancing works with. */
export interface AdvanceContext {
  readonly replica: Replica
  readonly copy: LocalCopy
  readonly emit: FollowerListener
  readonly signal: AbortSignal
  readonly now: () => number
}

/** Brings a copy on towards the newest state of its replica. Each method says whether it did. */
export class Advance {
  readonly #c: AdvanceContext
  /** Keys of files that turned out to be damaged. */
  readonly #damaged = new Set<string>()

  constructor(context: AdvanceContext) {
    this.#c = context
  }

  get #txid(): TXID {
    return this.#c.copy.position.txid
  }

  /** Asks for the next capture by its name: one request, which brings it too. */
  async probe(): Promise<boolean> {
    const { replica, copy, signal } = this.#c
    const started = this.#c.now()
    const txid = toTXID(this.#txid + 1n)
    const range = { minTXID: txid, maxTXID: txid }
    const key = ltxKey(replica.layout, 0, range)
    if (this.#damaged.has(key)) return false
    const content = await readResumable(replica.store, key, { signal }).catch((error: unknown) => {
      if (isStorageError(error, 'not-found')) return undefined
      throw error
    })
    if (content === undefined) return false
    using staged = copy.stage()
    const before = this.#txid
    const file = { ...range, key }
    const target = await this.#noting(key, () => stageFile(staged, copy.position, file, content.body, signal))
    const pages = await copy.apply(staged, target, signal)
    this.#applied(before, 1, pages, started)
    return true
  }

  /** Lists the captures behind the copy: one request where they are few. Looks everywhere if they do not continue it. */
  async listCaptures(): Promise<boolean> {
    const { replica, signal } = this.#c
    const captures = await capturesAfter(replica, this.#txid, { signal })
    if (filesOf(captures).length === 0) return false
    const plan = planContinuation(captures, this.#txid, { avoid: this.#damaged })
    if (plan.files.length === 0) return await this.listAll()
    await this.#applyFiles(plan.files)
    return true
  }

  /**
   * Lists everything and goes on by whatever leads on: files of any level, else a snapshot.
   * @throws FollowerError `rewound`, `diverged`; ReplicaError `gap` when nothing leads on yet
   */
  async listAll(): Promise<boolean> {
    const { replica, signal } = this.#c
    const catalog = await replica.catalog({ signal })
    const plan = planContinuation(catalog, this.#txid, { avoid: this.#damaged })
    const { head, bySnapshot, missing } = plan
    if (head === undefined || head < this.#txid) this.#rewound(head)
    await this.#confirm(catalog)
    if (plan.files.length > 0) {
      await this.#applyFiles(plan.files)
      return true
    }
    if (bySnapshot !== undefined) {
      await this.#rebase(planRestore(catalog, { kind: 'txid', txid: bySnapshot }))
      return true
    }
    // Nothing else says the same: they may have been seen while they arrived, and are read again.
    this.#damaged.clear()
    if (missing === undefined) return false
    throw new ReplicaError('gap', `transactions ${missing} are in no file that leads on from the copy`, {
      hint: 'It is looked for again and again. A snapshot behind the gap, which the writer makes when it starts, ends it too.',
    })
  }

  /** Makes the copy the newest state of the replica, whatever it is now. @throws ReplicaError `no-snapshot`, `gap` */
  async takeOver(): Promise<void> {
    await this.#rebase(planRestore(await this.#c.replica.catalog(this.#c), { kind: 'latest' }))
  }

  /** Only pages that differ are written. */
  async #rebase(plan: RestorePlan): Promise<void> {
    const { replica, copy, signal } = this.#c
    const started = this.#c.now()
    const from = this.#txid
    const mustFit = (pageSize: number): void => mustHavePageSize(pageSize, copy.position.pageSize)
    const { sink, pages } = copySink(copy, mustFit, signal)
    using _ = sink
    await restore(replica, plan, sink, { signal, pool: createModestPool })
    this.#c.emit({
      type: 'rebased',
      from,
      pos: posOf(copy),
      pages: pages(),
      milliseconds: this.#c.now() - started,
    })
  }

  async #applyFiles(files: readonly LTXFile[]): Promise<void> {
    const { replica, copy, signal } = this.#c
    const fetching = inOrder(files, PARALLEL_FETCHES, async (file) => {
      return file.size <= SMALL_BYTES ? await getBytes(replica.store, file.key, { signal }) : undefined
    })
    for (let next = 0; next < files.length; ) {
      const started = this.#c.now()
      const before = this.#txid
      using staged = copy.stage()
      let target: { txid: TXID; timestamp: number } = copy.position
      let bytes = 0
      const first = next
      for (; next < files.length; next++) {
        const file = files[next] as LTXFile
        if (next > first && bytes + file.size > GROUP_BYTES) break
        bytes += file.size
        const small = (await fetching.next()).value
        const body = small ? whole(small) : replica.open(file, { signal })
        const from = target
        target = await this.#noting(file.key, () => stageFile(staged, from, file, body, signal))
      }
      const pages = await copy.apply(staged, target, signal)
      this.#applied(before, next - first, pages, started)
    }
  }

  /** A file that is damaged may have others that say the same. */
  async #noting<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if ((error as { code?: unknown }).code === 'corrupt') this.#damaged.add(key)
      throw error
    }
  }

  /** The replica must hold the same state under the TXID of the copy, where it still tells. */
  async #confirm(catalog: Catalog): Promise<void> {
    const { replica, copy, signal } = this.#c
    const { txid, postApplyChecksum } = copy.position
    const file = filesOf(catalog).find(({ maxTXID }) => maxTXID === txid)
    if (file === undefined) return
    const { proof } = await replica.header(file, { signal })
    if (proof === undefined || proof.postApplyChecksum === postApplyChecksum) return
    throw new FollowerError(
      'diverged',
      `TXID ${formatTXID(txid)} has checksum ${formatChecksum(proof.postApplyChecksum)} in the replica, and ${formatChecksum(postApplyChecksum)} here`,
      { hint: DIVERGED_HINT },
    )
  }

  #rewound(head: TXID | undefined): void {
    // A listing that may be stale is no proof.
    if (!this.#c.replica.store.capabilities.consistentList) return
    const where = head === undefined ? 'holds nothing' : `ends at TXID ${formatTXID(head)}`
    throw new FollowerError(
      'rewound',
      `the replica ${where}, the copy is at ${formatTXID(this.#txid)}: newer files were removed`,
      { hint: DIVERGED_HINT },
    )
  }

  #applied(from: TXID, files: number, pages: number, started: number): void {
    const { copy } = this.#c
    this.#c.emit({
      type: 'applied',
      from,
      pos: posOf(copy),
      files,
      pages,
      timestamp: new Date(copy.position.timestamp),
      milliseconds: this.#c.now() - started,
    })
  }
}

function posOf({ position }: LocalCopy): Pos {
  return { txid: position.txid, postApplyChecksum: position.postApplyChecksum }
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
