import { formatTXID, type TXID } from '@sqlstream/ltx'
import {
  type AbortOptions,
  isReplicaError,
  type Replica,
  type ReplicaError,
  type ReplicaErrorCode,
} from '@sqlstream/replica'
import { discardBody, isStorageError, readResumable } from '@sqlstream/storage'
import type { PageServer } from '../engine-client.ts'
import { closedError, ReadReplicaError } from '../errors.ts'
import { FileGone } from '../pages/page-source.ts'
import { encodeUpdate } from '../view/view-update.ts'
import { KnownFiles } from './known-files.ts'
import { type LoadedView, loadView, type ViewRecord } from './load-view.ts'

/** What no plan leads to. */
const UNREACHABLE: ReadonlySet<ReplicaErrorCode> = new Set([
  'no-snapshot',
  'gap',
  'target-before-first',
  'target-after-last',
  'txid-not-restorable',
])

/** What a replica was asked for, since the beginning. */
export interface RequestStats {
  requests: number
  bytes: number
}

/** The bytes of a replica's files by number, and other files for states whose files are gone. */
export class ReplicaSource implements PageServer {
  readonly replica: Replica
  readonly files: KnownFiles
  readonly stats: RequestStats
  /** What the sessions read: their newest states. */
  readonly #records = new Map<number, ViewRecord>()
  readonly #gone = new Set<number>()
  /** Snapshots that the thread of SQLite holds for updates. */
  readonly #bases = new Set<number>()
  readonly #forget: (base: number) => void
  /** Updates that are being made: they may build on any of these. */
  #updates = 0

  /**
   * @param stats of the store that the replica is in
   * @param forget called with a snapshot that no update will build on any more
   * @param urlOf where an object is, for a thread that fetches by itself
   */
  constructor(
    replica: Replica,
    stats: RequestStats,
    forget: (base: number) => void,
    urlOf: ((key: string) => string) | undefined,
  ) {
    this.replica = replica
    this.files = new KnownFiles(urlOf)
    this.stats = stats
    this.#forget = forget
  }

  /** Which state a session has. Its files may change while the state stays, so nobody else keeps it. */
  recordOf(session: number): ViewRecord {
    const record = this.#records.get(session)
    if (!record) throw closedError()
    return record
  }

  /** Which state a session has now; undefined: none any more. */
  setRecord(session: number, record: ViewRecord | undefined): void {
    if (record) {
      this.#records.set(session, record)
      this.#bases.add(record.base.number)
    } else this.#records.delete(session)
    this.#forgetBases()
  }

  /**
   * Makes an update for a session and hands it over: `work` gets a view whose snapshot is at hand, if that is still in the replica, and must be done when the update is
   * on its way.
   */
  async update<T>(
    session: number | undefined,
    work: (held: ViewRecord | undefined) => Promise<T>,
  ): Promise<T> {
    const record = session === undefined ? undefined : this.#records.get(session)
    this.#updates++
    try {
      return await work(record && !this.#gone.has(record.base.number) ? record : undefined)
    } finally {
      this.#updates--
      this.#forgetBases()
    }
  }

  async read(file: number, offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const { key, size } = this.files.get(file)
    const range = { offset, length: into.byteLength }
    try {
      const { info, body } = await readResumable(this.replica.store, key, { range, signal })
      if (info.size !== size) {
        await discardBody(body)
        throw this.#fileGone(file)
      }
      let at = 0
      for await (const chunk of body) {
        into.set(chunk, at)
        at += chunk.byteLength
      }
      if (at !== into.byteLength) throw this.#fileGone(file)
    } catch (error) {
      if (isStorageError(error, 'not-found') || isStorageError(error, 'range-not-satisfiable')) {
        throw this.#fileGone(file)
      }
      throw error
    }
  }

  async replan(session: number, txid: bigint, signal: AbortSignal): Promise<Uint8Array> {
    return await this.otherFiles(session, txid, (view) => encodeUpdate(view.update), { signal })
  }

  /** Other files for a state, and what `use` makes of them. Throws ReadReplicaError `snapshot-gone` when nothing leads to the state any more. */
  async otherFiles<T>(
    session: number,
    txid: bigint,
    use: (view: LoadedView) => T,
    { signal }: AbortOptions,
  ): Promise<T> {
    return await this.update(session, async (held) => {
      try {
        const target = { kind: 'txid', txid: txid as TXID } as const
        const view = await loadView(this.replica, this.files, target, { held, signal })
        if (this.#records.get(session)?.txid === txid) this.setRecord(session, view.record)
        return use(view)
      } catch (cause) {
        if (!isUnreachable(cause)) throw cause
        throw snapshotGone(txid as TXID, cause)
      }
    })
  }

  /** A file is not there any more, or not what it was. */
  markGone(file: number): void {
    this.#gone.add(file)
    this.files.renew(file)
  }

  keyOf(file: number): string {
    return this.files.get(file).key
  }

  #forgetBases(): void {
    if (this.#updates > 0) return
    const used = new Set([...this.#records.values()].map(({ base }) => base.number))
    for (const base of this.#bases) {
      if (used.has(base)) continue
      this.#bases.delete(base)
      this.#forget(base)
    }
  }

  #fileGone(file: number): FileGone {
    this.markGone(file)
    return new FileGone()
  }
}

/** Whether an error says that no plan leads to a state. */
export function isUnreachable(error: unknown): error is ReplicaError {
  return isReplicaError(error) && UNREACHABLE.has(error.code)
}

function snapshotGone(txid: TXID, cause: Error): ReadReplicaError {
  return new ReadReplicaError(
    'snapshot-gone',
    `the snapshot of TXID ${formatTXID(txid)} is no longer in the backup: its files were removed`,
    { cause, hint: 'Keep captures for longer than the longest read, or read the newest state.' },
  )
}
