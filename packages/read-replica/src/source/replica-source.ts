import { formatTXID, type TXID } from '@sqlstream/ltx'
import { isReplicaError, type Replica, type ReplicaErrorCode } from '@sqlstream/replica'
import { discardBody, isStorageError, readResumable } from '@sqlstream/storage'
import type { PageServer } from '../engine-client.ts'
import { ReadReplicaError } from '../errors.ts'
import { FileGone } from '../pages/page-source.ts'
import { encodeUpdate } from '../view/view-update.ts'
import { KnownFiles } from './known-files.ts'
import { loadView, type ViewRecord } from './load-view.ts'

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
  readonly files: KnownFiles = new KnownFiles()
  readonly stats: RequestStats
  /** What the sessions read: their newest states. */
  readonly #records = new Map<number, ViewRecord>()
  readonly #gone = new Set<number>()

  /** @param stats of the store that the replica is in */
  constructor(replica: Replica, stats: RequestStats) {
    this.replica = replica
    this.stats = stats
  }

  /** Which state a session has now; undefined: none any more. */
  setRecord(session: number, record: ViewRecord | undefined): void {
    if (record) this.#records.set(session, record)
    else this.#records.delete(session)
  }

  /** A view whose snapshot is at hand and still in the replica. */
  held(record: ViewRecord | undefined): ViewRecord | undefined {
    return record && !this.#gone.has(record.base.number) ? record : undefined
  }

  async read(file: number, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array> {
    const { key, size } = this.files.get(file)
    const range = { offset, length }
    try {
      const { info, body } = await readResumable(this.replica.store, key, { range, signal })
      if (info.size !== size) {
        await discardBody(body)
        throw this.#fileGone(file)
      }
      const bytes = new Uint8Array(length)
      let at = 0
      for await (const chunk of body) {
        bytes.set(chunk, at)
        at += chunk.byteLength
      }
      if (at !== length) throw this.#fileGone(file)
      return bytes
    } catch (error) {
      if (isStorageError(error, 'not-found') || isStorageError(error, 'range-not-satisfiable')) {
        throw this.#fileGone(file)
      }
      throw error
    }
  }

  /** Throws ReadReplicaError `snapshot-gone` when nothing leads to the state any more. */
  async replan(session: number, txid: bigint, signal: AbortSignal): Promise<Uint8Array> {
    const held = this.held(this.#records.get(session))
    try {
      const { update, record } = await loadView(
        this.replica,
        this.files,
        { kind: 'txid', txid: txid as TXID },
        { held, signal },
      )
      if (this.#records.get(session)?.txid === txid) this.#records.set(session, record)
      return encodeUpdate(update)
    } catch (cause) {
      if (!isReplicaError(cause) || !UNREACHABLE.has(cause.code)) throw cause
      throw new ReadReplicaError(
        'snapshot-gone',
        `the snapshot of TXID ${formatTXID(txid as TXID)} is no longer in the backup: its files were removed`,
        { cause, hint: 'Keep captures for longer than the longest read, or read the newest state.' },
      )
    }
  }

  keyOf(file: number): string {
    return this.files.get(file).key
  }

  #fileGone(file: number): FileGone {
    this.#gone.add(file)
    this.files.renew(file)
    return new FileGone()
  }
}
