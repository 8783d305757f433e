import { setTimeout as sleep } from 'node:timers/promises'
import { formatTXID } from '@sqlstream/ltx'
import { Budgets, isPrimaryError } from '@sqlstream/replica-core'
import { isStorageError } from '@sqlstream/storage'
import { configOfObject } from '../config/from-object.ts'
import { Drivers } from '../drivers.ts'
import { describeFailure } from '../failure.ts'
import { FolderReplication, sourceOf } from '../folder-replication.ts'
import { foldersFromConfig } from '../folders.ts'
import type { CallName, Calls, StartMessage, ToEngine, WireError } from '../library/messages.ts'
import type { ClosedDatabase } from '../library/report.ts'
import type { Wire } from '../library/wire.ts'
import { budgetsOf, overBudgetJSON } from '../limits.ts'
import { loadDriver } from '../load-driver.ts'
import { eventJSON } from '../output/events.ts'
import { fleetEventJSON } from '../output/folder-lines.ts'
import { pairsFromConfig } from '../pairs.ts'
import { type Pair, Replication } from '../replication.ts'
import type { EventJSON } from '../schema.ts'
import { closeAll } from './close-all.ts'
import type { Outbox } from './outbox.ts'
import { statusOf, targetsOf, type Work } from './targets.ts'

const LOCKED_LOOK_MS = 100

/** What the process of the library does: replicates what it is told to, answers, and ends. */
export class Engine {
  readonly #outbox: Outbox
  readonly #abort = new AbortController()
  readonly #waits = new Map<number, AbortController>()
  readonly #work: { pairs: Replication[]; folders: FolderReplication[] } = { pairs: [], folders: [] }
  #budgets = new Budgets()
  #folder = ''
  #orphanMs = 0
  #starting: Promise<void> | undefined
  #closing: Promise<Wire<readonly ClosedDatabase[]>> | undefined

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** @returns whether the process is to end */
  async receive(message: ToEngine): Promise<boolean> {
    switch (message.type) {
      case 'start':
        this.#starting = this.#start(message)
        return this.#isRefused(this.#starting)
      case 'call':
        await this.#answer(message.id, message.name, message.arguments)
        return message.name === 'close'
      case 'abort':
        this.#waits.get(message.id)?.abort()
        return false
    }
  }

  /** The application is gone. Uploads what is left, within bounds. */
  async orphaned(): Promise<void> {
    const limit = AbortSignal.timeout(this.#orphanMs)
    if (this.#work.pairs.length + this.#work.folders.length === 0) this.#abort.abort()
    await this.#starting?.catch(() => undefined)
    await this.#close(limit)
  }

  get orphanMs(): number {
    return this.#orphanMs
  }

  async #isRefused(starting: Promise<void>): Promise<boolean> {
    try {
      await starting
      return false
    } catch (error) {
      await this.#close(AbortSignal.abort())
      const transient = isStorageError(error) ? error.transient : isPrimaryError(error, 'disk-full')
      await this.#outbox.message({ type: 'refused', error: wireError(error), transient })
      return true
    }
  }

  async #start({ config: value, short, folder, orphanMs }: StartMessage): Promise<void> {
    this.#folder = folder
    this.#orphanMs = orphanMs
    const config = configOfObject(value, folder, { short })
    const drivers = new Drivers(() => Promise.all(config.drivers.map((name) => loadDriver(name, folder))))
    const { signal } = this.#abort
    const options = { lease: {}, maintenance: {} }
    const limits = config.limits ?? {}
    this.#budgets = budgetsOf(limits, (estimate) => this.#tell(overBudgetJSON(estimate, limits)))
    const pairs = await pairsFromConfig(config, drivers, options)
    const folders = await foldersFromConfig(config, drivers, options)
    for (const pair of pairs) this.#work.pairs.push(await this.#startPair(pair, drivers))
    for (const watched of folders) {
      const replication = await FolderReplication.start(watched, {
        drivers,
        signal,
        budgets: this.#budgets,
        onEvent: (event) => {
          const source = event.type === 'warning' ? undefined : sourceOf(watched, event.database)
          this.#tell(fleetEventJSON(watched.folder, source, new Date(), event))
        },
      })
      this.#work.folders.push(replication)
    }
    const databases = this.#work.pairs.map(({ pair }) => pair.database)
    await this.#outbox.message({ type: 'started', databases })
  }

  /** The engine of an application that was killed a moment ago may still be uploading: it is waited for. */
  async #startPair(pair: Pair, drivers: Drivers): Promise<Replication> {
    const { signal } = this.#abort
    const until = performance.now() + this.#orphanMs
    const source = { database: pair.database, replica: pair.display }
    while (true) {
      try {
        return await Replication.start(pair, {
          drivers,
          signal,
          budgets: this.#budgets,
          onEvent: (_, event) => this.#tell(eventJSON(source, new Date(), event)),
        })
      } catch (error) {
        if (!isPrimaryError(error, 'locked') || performance.now() > until) throw error
        await sleep(LOCKED_LOOK_MS, undefined, { signal })
      }
    }
  }

  async #answer(id: number, name: CallName, input: unknown): Promise<void> {
    const wait = new AbortController()
    this.#waits.set(id, wait)
    try {
      const value = await this.#carryOut(name, input, wait.signal)
      await this.#outbox.message({ type: 'answer', id, value })
    } catch (error) {
      if (!wait.signal.aborted) await this.#outbox.message({ type: 'error', id, error: wireError(error) })
    } finally {
      this.#waits.delete(id)
    }
  }

  async #carryOut(name: CallName, input: unknown, signal: AbortSignal): Promise<unknown> {
    const work: Work = this.#work
    switch (name) {
      case 'status':
        return statusOf(work)
      case 'durable':
      case 'sync': {
        const targets = targetsOf(work, this.#folder, input as Calls['durable']['in'])
        return Promise.all(
          targets.map(async (target) => ({
            database: target.database,
            txid: formatTXID(await target[name](signal)),
          })),
        )
      }
      case 'close': {
        const { timeoutMs } = input as Calls['close']['in']
        return this.#close(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
      }
    }
  }

  #close(signal: AbortSignal): Promise<Wire<readonly ClosedDatabase[]>> {
    // A first image that is read, and waits of all kinds, end with the time that is left for uploads.
    if (signal.aborted) this.#abort.abort(signal.reason)
    else signal.addEventListener('abort', () => this.#abort.abort(signal.reason), { once: true })
    this.#closing ??= closeAll(this.#work, signal)
    return this.#closing
  }

  #tell(event: EventJSON): void {
    switch (event.type) {
      case 'config-warning':
      case 'control-warning':
      case 'metrics':
      case 'watching':
      case 'folder-stopped':
      case 'stopped':
        return
      default:
        this.#outbox.event(event)
    }
  }
}

function wireError(error: unknown): WireError {
  const { code, message, hint } = describeFailure(error)
  return { code, message, ...(hint === undefined ? {} : { hint }) }
}
