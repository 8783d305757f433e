import type { AbortOptions, RestoreTarget } from '@sqlstream/replica'
import type { EngineClient } from './engine-client.ts'
import type { At, ReplicaStats } from './options.ts'
import { type FindFiles, SessionClient } from './session-client.ts'
import { type LoadedView, loadView, type ViewRecord } from './source/load-view.ts'
import type { ReplicaSource } from './source/replica-source.ts'
import { buffersOf } from './view/view-update.ts'

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

  /** Opens a session at a state; the newest one by default. `like` may have its snapshot at hand. Throws as `loadView` does. */
  async openAt(
    at: At | undefined,
    options: AbortOptions & { readonly like?: SessionClient | undefined },
  ): Promise<SessionClient> {
    const { signal, like } = options
    return await this.source.update(like?.number, async (held) => {
      const { replica, files } = this.source
      const { update, record } = await loadView(replica, files, targetOf(at), { held, signal })
      const session = ++this.#last
      const transfer = buffersOf(update)
      await this.#client.call({ type: 'open', session, at: update }, { signal, transfer })
      return this.#add(session, record)
    })
  }

  /** A session that stays at the state of another one. */
  async fork(session: SessionClient, options: AbortOptions): Promise<SessionClient> {
    const number = ++this.#last
    // At once: what this state builds on must stay, whatever files are found for the other session meanwhile.
    const fork = this.#add(number, this.source.recordOf(session.number))
    try {
      await this.#client.call({ type: 'open', session: number, at: session.number }, options)
      return fork
    } catch (error) {
      await this.closeSession(fork).catch(() => undefined)
      throw error
    }
  }

  /** Where SQLite cannot wait for them. */
  readonly #findFiles: FindFiles = async (session, { txid, file }, options) => {
    this.source.markGone(file)
    // Meanwhile there is a newer state, which the next try reads.
    if (this.source.recordOf(session).txid !== txid) return
    const tell = ({ update }: LoadedView): void =>
      this.#client.tell({ type: 'view', session, update }, buffersOf(update))
    await this.source.otherFiles(session, txid, tell, options)
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

  #add(number: number, record: ViewRecord): SessionClient {
    this.#sessions.add(number)
    this.source.setRecord(number, record)
    return new SessionClient(this.#client, number, this.#findFiles)
  }
}

function targetOf(at: At | undefined): RestoreTarget {
  if (!at) return { kind: 'latest' }
  return at.txid !== undefined ? { kind: 'txid', txid: at.txid } : { kind: 'timestamp', timestamp: at.time }
}
