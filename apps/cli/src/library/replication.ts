import type { EventHub } from './event-stream.ts'
import type { ReplicationEvent } from './events.ts'
import { ReplicationError } from './replication-error.ts'
import type { CloseReport, DatabaseStatus, Position, ReplicationStatus } from './report.ts'
import type { Supervisor } from './supervisor.ts'

const CLOSE_MS = 30_000
const GRACE_MS = 10_000

/** Options of calls that wait. */
export interface WaitOptions {
  /** Ends the wait, and nothing else. */
  readonly signal?: AbortSignal | undefined
}

/** Options of calls about one database. */
export interface DatabaseOptions extends WaitOptions {
  /** Which one, by its path. Needed when there are several. */
  readonly database?: string | undefined
}

/** Options of `close`. */
export interface CloseOptions {
  /** Ends the wait for uploads. The report says what is left. */
  readonly signal?: AbortSignal | undefined
  /** How long uploads may take. Milliseconds, default 30,000. */
  readonly timeoutMs?: number | undefined
}

/** A running replication. Its engine is another process, which is started again when it dies. */
export class Replication implements AsyncDisposable, AsyncIterable<ReplicationEvent> {
  readonly #supervisor: Supervisor
  readonly #hub: EventHub
  #closing: Promise<CloseReport> | undefined
  #known: readonly DatabaseStatus[] = []

  /** Made by `replicate`. */
  constructor(supervisor: Supervisor, hub: EventHub) {
    this.#supervisor = supervisor
    this.#hub = hub
  }

  /** Of the engine's process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#supervisor.pid
  }

  /**
   * Resolves when everything that was committed before this call is in the replica, with where the newest of it is. Survives the death
   * of the engine: the next one is asked again.
   *
   * @throws ReplicationError `fenced`, `engine-failing`, `closed`, `usage`, and what keeps the database from being captured
   */
  async durable({ database, signal }: DatabaseOptions = {}): Promise<Position> {
    const positions = await this.#supervisor.call('durable', named(database), signal)
    return theOne(positions)
  }

  /** The same for all databases that are known by now. The first that fails rejects. */
  durableAll({ signal }: WaitOptions = {}): Promise<readonly Position[]> {
    return this.#supervisor.call('durable', {}, signal)
  }

  /**
   * Captures every commit that is visible now; that it is uploaded is not waited for. Not for the databases of a folder.
   *
   * @throws as `durable`
   */
  async sync({ database, signal }: DatabaseOptions = {}): Promise<Position> {
    const positions = await this.#supervisor.call('sync', named(database), signal)
    return theOne(positions)
  }

  /** How it stands. While there is no engine, what was known last of the databases. */
  async status({ signal }: WaitOptions = {}): Promise<ReplicationStatus> {
    signal?.throwIfAborted()
    if (this.#supervisor.state === 'running') this.#known = await this.#ask(signal)
    const { state, pid, restarts } = this.#supervisor
    return { state, restarts, databases: this.#known, ...(pid === undefined ? {} : { pid }) }
  }

  /** Calls the listener with each event from now on. Returns what ends that. What a listener throws is ignored. */
  on(listener: (event: ReplicationEvent) => void): () => void {
    return this.#hub.on(listener)
  }

  /** Events from now on, until the replication is closed. Who takes them too slowly misses the oldest, and is told how many. */
  events({ signal }: WaitOptions = {}): AsyncGenerator<ReplicationEvent, void, undefined> {
    return this.#hub.stream(signal)
  }

  [Symbol.asyncIterator](): AsyncGenerator<ReplicationEvent, void, undefined> {
    return this.events()
  }

  /**
   * Uploads what is left, gives the lease back and ends the engine. Never rejects and takes no longer than `timeoutMs` and a few
   * seconds: the report says what is not in the replica. That stays beside the database and goes up at the next start. A second call
   * waits for the first one.
   */
  close({ signal, timeoutMs = CLOSE_MS }: CloseOptions = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(timeoutMs, signal)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(timeoutMs: number, signal: AbortSignal | undefined): Promise<CloseReport> {
    try {
      const databases = await this.#supervisor.close(timeoutMs, GRACE_MS, signal)
      return { complete: databases.every(({ complete }) => complete), databases }
    } catch (error) {
      return { complete: false, databases: [], error: error as Error }
    } finally {
      this.#hub.close()
    }
  }

  /** Status must not wait for an engine that is gone. */
  async #ask(signal: AbortSignal | undefined): Promise<readonly DatabaseStatus[]> {
    const gone = new AbortController()
    const off = this.#hub.on((event) => {
      if (event.type === 'engine-died') gone.abort()
    })
    try {
      return await this.#supervisor.call(
        'status',
        {},
        AbortSignal.any([gone.signal, ...(signal ? [signal] : [])]),
      )
    } catch (error) {
      if (gone.signal.aborted && signal?.aborted !== true) return this.#known
      throw error
    } finally {
      off()
    }
  }
}

function named(database: string | undefined): { readonly database?: string; readonly one: true } {
  return { one: true, ...(database === undefined ? {} : { database }) }
}

function theOne([position]: readonly Position[]): Position {
  if (position === undefined) throw new ReplicationError('usage', 'there is no database')
  return position
}
