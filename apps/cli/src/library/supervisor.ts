import { PendingCalls } from './calls.ts'
import { EngineProcess } from './engine-process.ts'
import type { EventHub } from './event-stream.ts'
import type { ReplicationEvent } from './events.ts'
import { type CallName, type Calls, type FromEngine, PROTOCOL, type StartMessage } from './messages.ts'
import type { ReplicateOptions } from './options.ts'
import { fromWire, ReplicationError } from './replication-error.ts'
import { nextDelay, RestartCount } from './restart-count.ts'
import { fromText } from './wire.ts'

/** While it is closed, an engine that dies is replaced at once, but not for ever. */
const MOST_DEATHS_AT_END = 3

/** Keeps an engine running, asks it, and asks the next one again what the last one has not answered. */
export class Supervisor {
  readonly #start: StartMessage
  readonly #o: ReplicateOptions
  readonly #hub: EventHub
  readonly #calls: PendingCalls = new PendingCalls(() => this.#keepAlive())
  readonly #count: RestartCount
  readonly #first: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  readonly #gone: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  #process: EngineProcess | undefined
  #phase: 'first' | 'running' | 'restarting' | 'closing' | 'closed' = 'first'
  #running = false
  #restarts = 0
  #timer: NodeJS.Timeout | undefined
  /** Why it does not start, as it says itself. */
  #refusal: { readonly error: ReplicationError; readonly transient: boolean } | undefined
  /** Calls are rejected with it until an engine runs again. */
  #failing: ReplicationError | undefined

  constructor(start: StartMessage, options: ReplicateOptions, hub: EventHub) {
    this.#start = start
    this.#o = options
    this.#hub = hub
    this.#count = new RestartCount(options.restart)
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get restarts(): number {
    return this.#restarts
  }

  get state(): 'running' | 'restarting' | 'failing' | 'closed' {
    if (this.#phase === 'closed') return 'closed'
    if (this.#running) return 'running'
    return this.#failing === undefined ? 'restarting' : 'failing'
  }

  /** Starts the first engine. What keeps this one from starting is an error, not a reason to try again. */
  async begin(): Promise<void> {
    const { signal } = this.#o
    signal?.throwIfAborted()
    const abort = (): void => {
      this.#phase = 'closed'
      this.#first.reject(signal?.reason)
      // Everything that it writes survives that, and the next one takes over its lease.
      this.#process?.kill()
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#spawn()
      await this.#first.promise
    } catch (error) {
      await this.#gone.promise
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** @throws ReplicationError `closed`, `engine-failing`, or what the engine answers */
  async call<Name extends CallName>(
    name: Name,
    input: Calls[Name]['in'],
    signal?: AbortSignal,
  ): Promise<Calls[Name]['out']> {
    if (this.#phase === 'closing' || this.#phase === 'closed')
      throw new ReplicationError('closed', 'the replication is closed')
    if (this.#failing !== undefined) throw this.#failing
    return this.#ask(name, input, signal)
  }

  /** The last call. Its signal ends the wait for uploads; the engine still answers what is left. */
  async close(timeoutMs: number, graceMs: number, signal?: AbortSignal): Promise<Calls['close']['out']> {
    this.#phase = 'closing'
    this.#count.reset()
    const giveUp = (ms: number): NodeJS.Timeout => setTimeout(() => this.#end('it does not answer'), ms)
    const timers = [giveUp(timeoutMs + graceMs)]
    const abort = (): void => {
      for (const { id, name } of this.#calls) if (name === 'close') this.#process?.send({ type: 'abort', id })
      timers.push(giveUp(graceMs))
    }
    try {
      const answer = this.#ask('close', { timeoutMs })
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
      if (this.#timer !== undefined) this.#spawn()
      const report = await answer
      timers.push(setTimeout(() => this.#process?.kill(), graceMs))
      this.#phase = 'closed'
      await this.#gone.promise
      return report
    } finally {
      this.#phase = 'closed'
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      clearTimeout(this.#timer)
      this.#process?.kill()
      if (this.#process !== undefined) await this.#gone.promise
      this.#calls.rejectAll(new ReplicationError('closed', 'the replication is closed'))
    }
  }

  async #ask<Name extends CallName>(
    name: Name,
    input: Calls[Name]['in'],
    signal?: AbortSignal,
  ): Promise<Calls[Name]['out']> {
    const value = await this.#calls.add(name, input, {
      signal,
      ask: (call) => {
        if (this.#running) this.#send(call)
      },
      abort: (id) => this.#process?.send({ type: 'abort', id }),
    })
    return fromText(value as never)
  }

  #send({ id, name, arguments: input }: { id: number; name: CallName; arguments: unknown }): void {
    this.#process?.send({ type: 'call', id, name, arguments: input })
  }

  #spawn(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#refusal = undefined
    try {
      const engine: EngineProcess = new EngineProcess({
        env: this.#o.env ?? withoutNodeOptions(process.env),
        execArgv: this.#o.execArgv ?? ['--max-semi-space-size=4'],
        onMessage: (message) => this.#receive(engine, message),
        onEnd: (reason, pid) => this.#ended(reason, pid),
      })
      this.#process = engine
      this.#keepAlive()
    } catch (error) {
      // Out of memory or descriptors for a process: as if it had died at once.
      setImmediate(() => this.#ended(`it does not start: ${(error as Error).message}`, undefined))
    }
  }

  #receive(engine: EngineProcess, message: FromEngine): void {
    switch (message.type) {
      case 'hello':
        if (message.version === PROTOCOL) engine.send(this.#start)
        else this.#wrongVersion(engine, message.version)
        break
      case 'started':
        this.#started(engine)
        break
      case 'refused':
        this.#refusal = { error: fromWire(message.error), transient: message.transient }
        break
      case 'answer':
        this.#calls.get(message.id)?.resolve(message.value)
        break
      case 'error':
        this.#calls.get(message.id)?.reject(fromWire(message.error))
        break
      case 'event':
        this.#hub.emit(fromText<ReplicationEvent>(message.event))
        break
    }
  }

  #started(engine: EngineProcess): void {
    this.#running = true
    this.#failing = undefined
    this.#count.started()
    if (this.#phase === 'first' || this.#phase === 'restarting') this.#phase = 'running'
    this.#hub.emit({ type: 'engine-started', time: new Date(), pid: engine.pid ?? 0 })
    this.#first.resolve()
    for (const call of this.#calls) this.#send(call)
    this.#keepAlive()
  }

  #wrongVersion(engine: EngineProcess, version: number): void {
    const error = new ReplicationError(
      'engine-version',
      `the installed engine speaks version ${version} of the protocol, this process version ${PROTOCOL}`,
      { hint: 'the package was replaced under the running application: restart the application' },
    )
    this.#refusal = { error, transient: false }
    engine.kill()
  }

  #ended(reason: string, pid: number | undefined): void {
    this.#process = undefined
    this.#running = false
    const refusal = this.#refusal
    if (this.#phase === 'first' || this.#phase === 'closed') {
      this.#phase = 'closed'
      this.#gone.resolve()
      this.#first.reject(
        refusal?.error ?? new ReplicationError('engine-failing', `the engine ended: ${reason}`),
      )
      return
    }
    const isDead = refusal?.transient !== true
    if (isDead) this.#count.died()
    if (this.#phase === 'closing') {
      if (refusal !== undefined) this.#end(refusal.error.message, refusal.error)
      else if (this.#count.failures >= MOST_DEATHS_AT_END) this.#end(reason)
      else this.#spawn()
      return
    }
    this.#phase = 'restarting'
    const restartInMs = nextDelay(this.#o.restart, this.#count.next())
    const said = refusal === undefined ? reason : `${refusal.error.message} (${refusal.error.code})`
    this.#hub.emit({ type: 'engine-died', time: new Date(), pid, reason: said, restartInMs })
    if (refusal?.transient === false) this.#fail(refusal.error)
    else if (isDead && this.#count.isTooOften) {
      const message = `the engine ended ${this.#count.failures} times in a row: ${said}`
      this.#fail(
        new ReplicationError('engine-failing', message, {
          hint: 'it is tried again, ever more slowly; what is committed meanwhile is kept in the WAL',
        }),
      )
    }
    this.#restarts++
    this.#timer = setTimeout(() => this.#spawn(), restartInMs)
    this.#keepAlive()
  }

  #fail(error: ReplicationError): void {
    const { code, message, hint } = error
    if (this.#failing === undefined)
      this.#hub.emit({ type: 'engine-failing', time: new Date(), error: { code, message, hint } })
    this.#failing = error
    this.#calls.rejectAll(error)
  }

  /** Nothing more comes of closing. */
  #end(reason: string, cause?: ReplicationError): void {
    const error = cause ?? new ReplicationError('engine-failing', `the engine ended: ${reason}`)
    this.#calls.rejectAll(error)
  }

  #keepAlive(): void {
    const keep = this.#o.unref !== true || this.#calls.size > 0 || this.#phase === 'first'
    this.#process?.keepAlive(keep)
    if (keep) this.#timer?.ref()
    else this.#timer?.unref()
  }
}

/** A debugger or a loader of the application is none of the engine's. */
function withoutNodeOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...rest } = env
  return rest
}
