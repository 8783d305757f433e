import { join, resolve } from 'node:path'
import type { PrimaryEvent } from '@sqlstream/replica-core'
import { Roster } from './control/roster.ts'
import { ControlServer } from './control/server.ts'
import { ownRuntimeFolder } from './control/socket.ts'
import type { Drivers } from './drivers.ts'
import { describeFailure } from './failure.ts'
import { budgetsOf, limitsOf, overBudgetJSON, overBudgetLine } from './limits.ts'
import { MetricsEndpoint, parseListenAddress } from './metrics/endpoint.ts'
import { DEFAULT_MAX_LAG_MS, healthOf, type ProcessPhase } from './metrics/health.ts'
import { Metrics } from './metrics/metrics.ts'
import type { EventLines } from './output/event-lines.ts'
import type { PairOptions } from './pairs.ts'
import type { ReplicationFlags } from './replication-flags.ts'
import type { Work } from './replication-work.ts'
import type { RunOptions } from './run-options.ts'

/** What a process that replicates is opened with. */
export interface ProcessOptions {
  readonly work: Work
  readonly flags: ReplicationFlags
  /** For databases that are registered while it runs. */
  readonly defaults: PairOptions
  readonly drivers: Drivers
  readonly lines: EventLines
  /** Ends waits, and keeps anything new from being begun. */
  readonly signal: AbortSignal
  readonly version: string
  /** It ends by itself, and is only asked anything where somebody said where. Default false. */
  readonly isBrief?: boolean
  /** Learns of what happens to the databases that were named. */
  readonly onEvent?: (event: PrimaryEvent) => void
  /** Called when one of them is fenced. */
  readonly onFenced?: (error: Error) => void
}

/** What surrounds the databases of a process that replicates: its roster, its control socket, its metrics. */
export class ReplicatingProcess implements AsyncDisposable {
  readonly roster: Roster
  readonly runOptions: RunOptions
  /** For `/healthz`. */
  phase: ProcessPhase = 'opening'
  readonly #o: ProcessOptions
  readonly #metrics: Metrics
  readonly #surroundings = new AsyncDisposableStack()

  private constructor(options: ProcessOptions) {
    const { work, flags, defaults, lines, drivers, signal, version } = options
    this.#o = options
    const perDatabase = flags['metrics-per-database'] || (work.metrics?.perDatabase ?? false)
    this.#metrics = new Metrics({ version, perDatabase })
    const limits = limitsOf(flags, work.limits)
    const { say, tell, json } = lines
    const { activity } = this.#metrics
    const { onEvent } = options
    this.runOptions = {
      budgets: budgetsOf(limits, (estimate) =>
        lines.event(overBudgetJSON(estimate, limits), overBudgetLine(estimate, limits)),
      ),
      drivers,
      signal,
      json,
      say,
      tell,
      activity: {
        event: (event) => {
          activity.event(event)
          onEvent?.(event)
        },
        operation: activity.operation,
        openFailed: activity.openFailed,
        writeLock: activity.writeLock,
      },
    }
    const { stateDir: _stateDir, ...rest } = defaults
    this.roster = new Roster(this.runOptions, rest, options.onFenced)
  }

  /**
   * Nothing is replicated yet, but it can be asked how it stands.
   * @throws CLIError `socket-in-use`, `address-in-use`, `usage`; the system's errors
   */
  static async open(options: ProcessOptions): Promise<ReplicatingProcess> {
    const opened = new ReplicatingProcess(options)
    try {
      // The socket comes first: two processes that were given one path must not both begin.
      await opened.#openSocket()
      await opened.#openEndpoint()
    } catch (error) {
      await opened[Symbol.asyncDispose]()
      throw error
    }
    return opened
  }

  /** Lets go of the socket and the port. The roster is to be closed before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#surroundings.disposeAsync()
  }

  readonly #text = (): string => this.#metrics.text(this.roster.rows())

  async #openSocket(): Promise<void> {
    const { flags, work, lines, version, isBrief = false } = this.#o
    const named = flags.socket ?? work.socket
    if (flags['no-socket'] || named === 'never' || (isBrief && named === undefined)) return
    const { activity } = this.#metrics
    const context = {
      roster: this.roster,
      version,
      metrics: this.#text,
      writeLocks: () => activity.writeLocks,
    }
    if (named !== undefined) {
      this.#surroundings.use(await ControlServer.open(context, resolve(named)))
      return
    }
    try {
      const path = join(await ownRuntimeFolder(), `${process.pid}.sock`)
      this.#surroundings.use(await ControlServer.open(context, path))
    } catch (error) {
      // Nobody asked for it, and a backup without is better than none.
      const { message, code } = describeFailure(error)
      const why = `no commands will be taken while this runs: ${message}`
      lines.event(
        { time: new Date().toISOString(), type: 'control-warning', code, message: why },
        `warning: ${why} (${code})`,
      )
    }
  }

  async #openEndpoint(): Promise<void> {
    const { flags, work, lines } = this.#o
    const listen = flags.metrics ?? work.metrics?.listen
    if (listen === undefined) return
    const health = (maxLagMs = DEFAULT_MAX_LAG_MS) =>
      healthOf(this.phase, [...this.roster.rows()], { now: Date.now(), maxLagMs })
    const endpoint = await MetricsEndpoint.open({ metrics: this.#text, health }, parseListenAddress(listen))
    this.#surroundings.use(endpoint)
    const { url } = endpoint
    lines.event({ time: new Date().toISOString(), type: 'metrics', url }, `metrics at ${url}`)
  }
}
