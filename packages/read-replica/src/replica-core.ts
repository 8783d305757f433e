import type { AbortOptions, RestoreTarget } from '@sqlstream/replica'
import type { EngineClient } from './engine-client.ts'
import type { At, ReplicaStats } from './options.ts'
import { SessionClient } from './session-client.ts'
import { type LoadedView, loadView, type ViewRecord } from './source/load-view.ts'
import type { ReplicaSource } from './source/replica-source.ts'
import { buffersOf } from './view/view-update.ts'

/** A session and the state that it was opened at. */
export interface OpenedSession {
  readonly session: SessionClient
  readonly record: ViewRecord
}

/** What all replicas of one thread of SQLite share. */
export class ReplicaCore {
  readonly now: () => number
  readonly source: ReplicaSource
  readonly #client: EngineClient
  readonly #sessions = new Set<number>()
  #last = 0

  constructor(client: EngineClient, source: ReplicaSource, now: () => number) {
    this.#client = client
    this.source = source
    this.now = now
  }

  /** Opens a session at a state; the newest one by default. Throws as `loadView` does. */
  async openAt(
    at: At | undefined,
    options: AbortOptions & { readonly held?: ViewRecord | undefined },
  ): Promise<OpenedSession> {
    const { signal } = options
    const held = this.source.held(options.held)
    const view = await loadView(this.source.replica, this.source.files, targetOf(at), { held, signal })
    const number = ++this.#last
    const { update, record } = view
    await this.#client.call(
      { type: 'open', session: number, at: update },
      { signal, transfer: buffersOf(update) },
    )
    this.#add(number, record)
    return { session: new SessionClient(this.#client, number), record }
  }

  /** A session that stays at the state of another one. */
  async fork(session: SessionClient, record: ViewRecord, options: AbortOptions): Promise<SessionClient> {
    const fork = await session.fork(++this.#last, options)
    this.#add(fork.number, record)
    return fork
  }

  /** Lets transactions of a session that begin from now on read another state. */
  advance(session: SessionClient, { update, record }: LoadedView): void {
    this.#client.tell({ type: 'view', session: session.number, update }, buffersOf(update))
    this.source.setRecord(session.number, record)
  }

  /** The last one takes the thread with it. */
  async closeSession(session: SessionClient): Promise<void> {
    if (!this.#sessions.delete(session.number)) return
    this.source.setRecord(session.number, undefined)
    if (this.#sessions.size === 0) await this.#client.close()
    else await session.close()
  }

  stats(): ReplicaStats {
    return { ...this.source.stats, ...this.#client.stats }
  }

  /** Ends the thread, whoever uses it. */
  async end(): Promise<void> {
    await this.#client.close()
  }

  #add(number: number, record: ViewRecord): void {
    this.#sessions.add(number)
    this.source.setRecord(number, record)
  }
}

function targetOf(at: At | undefined): RestoreTarget {
  if (!at) return { kind: 'latest' }
  return at.txid !== undefined ? { kind: 'txid', txid: at.txid } : { kind: 'timestamp', timestamp: at.time }
}
