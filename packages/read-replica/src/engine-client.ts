import { ReplicaError } from '@sqlstream/replica'
import { StorageError } from '@sqlstream/storage'
import { type SlotRequest, SlotWriter } from './bridge/shared-slots.ts'
import type {
  EngineFailure,
  EngineOptions,
  EngineReply,
  EngineRequest,
  EngineStats,
} from './engine/messages.ts'
import { closedError, isReadReplicaError, ReadReplicaError } from './errors.ts'
import { FileGone, FilesNeeded } from './pages/page-source.ts'
import { REQUEST_BYTES } from './pages/read-ahead.ts'

/** A thread in which SQLite runs. */
export interface EngineLink {
  /** Hands a message over, and the memory that goes with it. */
  post(message: EngineRequest, transfer: ArrayBuffer[]): void
  /** A call is under way, or none: then the thread should not keep the process alive. */
  setBusy?(busy: boolean): void
  /** May resolve when it has ended. */
  terminate(): unknown
}

/** What the thread tells. */
export interface EngineEvents {
  readonly onMessage: (message: EngineReply | SlotRequest) => void
  /** It has died or never started. May be called more than once. */
  readonly onEnd: (cause: unknown) => void
}

/** Starts the thread of SQLite. */
export type StartEngine = (events: EngineEvents) => EngineLink

/** Who brings what SQLite waits for. */
export interface PageServer {
  /** Fills memory with the bytes of a file from there on. Throws FileGone, the store's errors. */
  read(file: number, offset: number, into: Uint8Array, signal: AbortSignal): Promise<void>
  /** Other files for a state, encoded. */
  replan(session: number, txid: bigint, signal: AbortSignal): Promise<Uint8Array>
  /** For messages about a file. */
  keyOf(file: number): string
}

/** A request without its number. */
export type EngineCall<T = EngineRequest> = T extends { readonly call: number } ? Omit<T, 'call'> : never

/** Errors that nobody has asked for yet are kept up to this number: those of pages that were fetched ahead. */
const MOST_FAILURES = 256

interface Pending {
  readonly resolve: (reply: EngineReply) => void
  readonly reject: (error: unknown) => void
  isGivenUp: boolean
}

/** The side of the thread of SQLite that never blocks: it asks, and brings the bytes that SQLite waits for. */
export class EngineClient {
  readonly #link: EngineLink
  readonly #server: PageServer
  readonly #slots: SlotWriter | undefined
  readonly #pending = new Map<number, Pending>()
  readonly #fetches = new Set<AbortController>()
  readonly #failures = new Map<number, unknown>()
  readonly #replans = new Map<number, Uint8Array>()
  #lastCall = 0
  #lastFailure = 0
  #ended: { readonly error: Error } | undefined
  #stats: EngineStats = { hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 }

  /** @param shared undefined: the thread fetches by itself, and cannot be stopped */
  constructor(start: StartEngine, shared: SharedArrayBuffer | undefined, server: PageServer) {
    this.#server = server
    this.#slots = shared && new SlotWriter(shared)
    this.#link = start({
      onMessage: (message) => this.#onMessage(message),
      onEnd: (cause) =>
        this.#end(new ReadReplicaError('engine', 'the thread of SQLite has ended', { cause })),
    })
  }

  /** What SQLite has read, as of its last answer. */
  get stats(): EngineStats {
    return this.#stats
  }

  start(options: EngineOptions): Promise<EngineReply> {
    return this.call({ type: 'start', options })
  }

  /** Something to tell that is not answered. */
  tell(message: EngineRequest, transfer: ArrayBuffer[] = []): void {
    if (!this.#ended) this.#link.post(message, transfer)
  }

  /** Calls are answered in their order. Rejects with the signal's reason as soon as it aborts; SQLite then ends the statement. */
  async call(
    request: EngineCall,
    options: { readonly signal?: AbortSignal | undefined; readonly transfer?: ArrayBuffer[] } = {},
  ): Promise<EngineReply> {
    const { signal, transfer = [] } = options
    signal?.throwIfAborted()
    if (this.#ended) throw this.#ended.error
    const call = ++this.#lastCall
    const { promise, resolve, reject } = Promise.withResolvers<EngineReply>()
    const pending: Pending = { resolve, reject, isGivenUp: false }
    const onAbort = (): void => {
      pending.isGivenUp = true
      reject(signal?.reason)
      this.#stopGivenUp()
    }
    // Throws for values that no message can carry, and then there is nothing to wait for.
    this.#link.post({ ...request, call } as EngineRequest, transfer)
    this.#pending.set(call, pending)
    this.#link.setBusy?.(true)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const reply = await promise
      if (reply.error) throw this.#errorOf(reply.error)
      return reply
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the thread; calls that wait reject with `closed`. */
  async close(): Promise<void> {
    this.#end(closedError())
    await this.#link.terminate()
  }

  #end(error: Error): void {
    this.#ended ??= { error }
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    for (const fetch of this.#fetches) fetch.abort(error)
  }

  #onMessage(message: EngineReply | SlotRequest): void {
    if (message.type === 'fetch') {
      const { file, offset, length } = message
      this.#serve(message.slot, async (memory, signal) => {
        await this.#server.read(file, offset, memory.subarray(0, length), signal)
        return length
      })
    } else if (message.type === 'replan') {
      const { session, txid, from } = message
      this.#serve(message.slot, async (memory, signal) => {
        const part = await this.#partOfReplan(session, txid, from, signal)
        memory.set(part)
        return part.byteLength
      })
    } else {
      const { call, stats } = message
      this.#stats = stats
      this.#pending.get(call)?.resolve(message)
      this.#pending.delete(call)
      // A thread that is ending is waited for: its last answer must not let the process end before it.
      if (this.#ended) return
      if (this.#pending.size === 0) this.#link.setBusy?.(false)
      this.#stopGivenUp()
    }
  }

  /** Calls are carried out in their order, so the first one is under way. */
  #stopGivenUp(): void {
    const [first] = this.#pending
    if (!first?.[1].isGivenUp) return
    this.#slots?.stop(first[0])
    for (const fetch of this.#fetches) fetch.abort()
  }

  /** @param bring puts the answer into the memory, and resolves with its length in bytes */
  #serve(slot: number, bring: (memory: Uint8Array, signal: AbortSignal) => Promise<number>): void {
    // Who has no memory of both sides is not asked.
    if (!this.#slots) return
    const slots = this.#slots
    const controller = new AbortController()
    this.#fetches.add(controller)
    const serving = bring(slots.memory(slot), controller.signal).then(
      (byteLength) => slots.done(slot, byteLength),
      (error: unknown) => {
        if (error instanceof FileGone) slots.gone(slot)
        else slots.failed(slot, this.#keep(error))
      },
    )
    void serving.finally(() => this.#fetches.delete(controller))
  }

  async #partOfReplan(session: number, txid: bigint, from: number, signal: AbortSignal): Promise<Uint8Array> {
    if (from === 0) this.#replans.set(session, await this.#server.replan(session, txid, signal))
    const whole = this.#replans.get(session) as Uint8Array
    const part = whole.subarray(from, from + REQUEST_BYTES)
    if (from + part.byteLength === whole.byteLength) this.#replans.delete(session)
    return part
  }

  #keep(error: unknown): number {
    const failure = ++this.#lastFailure
    this.#failures.set(failure, error)
    this.#failures.delete(failure - MOST_FAILURES)
    return failure
  }

  #errorOf(error: EngineFailure): unknown {
    switch (error.kind) {
      case 'fetch': {
        const kept = this.#failures.get(error.failure)
        // Each call gets an error of its own where the error is ours: whoever adds to it must not meet another's.
        if (isReadReplicaError(kept))
          return new ReadReplicaError(kept.code, kept.message, { ...kept, cause: kept.cause })
        return kept ?? new ReadReplicaError('engine', 'a request failed, and why is not known any more')
      }
      case 'sql':
        return new ReadReplicaError('sql', error.message, {
          sqliteCode: error.sqliteCode,
          ...(error.sqliteCode.startsWith('SQLITE_READONLY') && {
            hint: 'A read replica cannot be written to: write to the database that it is a copy of.',
          }),
        })
      case 'gone':
        return new ReadReplicaError(
          'snapshot-gone',
          'files of the snapshot were removed as fast as others were found',
        )
      case 'replan':
        return new FilesNeeded(error.txid, error.file)
      case 'store':
        return new StorageError(`${this.#server.keyOf(error.file)}: ${error.message}`, {
          code: 'unavailable',
          driver: 'xhr',
          operation: 'get',
          key: this.#server.keyOf(error.file),
        })
      case 'corrupt':
        return new ReplicaError('corrupt', `${this.#server.keyOf(error.file)}: ${error.message}`, {
          hint: 'verify at depth bytes tells which files are damaged; a state that does not need this file can be read.',
        })
      case 'open-transaction':
        return new ReadReplicaError(
          'open-transaction',
          'the statement left a transaction open; it was rolled back',
          {
            hint: 'Use snapshot() to read several times from one state, and batch() for several statements at once.',
          },
        )
      case 'usage':
        return new TypeError(error.message)
      case 'bug':
        return new ReadReplicaError('engine', error.message, { cause: new Error(error.stack) })
    }
  }
}
