import { setTimeout as sleep } from 'node:timers/promises'
import { type DatabaseKind, databaseKind } from '@sqlstream/replica-core'
import { describeFailure } from '../failure.ts'
import type { RunNews } from '../output/run-events.ts'
import type { PairRun } from '../pair-run.ts'
import { planArrival, planRefusedArrival } from './plan-database.ts'

const LOOK_MS = 250
const LONGEST_PAUSE_MS = 10_000

/** The next look will show when that changes. */
const IS_NO_DATABASE: ReadonlySet<string> = new Set(['not-wal-mode', 'not-a-database', 'database-missing'])

/** What waiting for databases works with. */
export interface ArrivalsContext {
  readonly news: (news: RunNews) => void
  /** Somebody else writes a replica of one that has come. */
  readonly onRefused: (error: Error) => void
}

/** Databases that the application makes: each is replicated as soon as it is there. */
export class Arrivals {
  readonly #runs: readonly PairRun[]
  readonly #c: ArrivalsContext
  readonly #ending = new AbortController()
  /** Ends what is under way, too. */
  readonly #limit = new AbortController()
  #watching: Promise<unknown> = Promise.resolve()

  constructor(runs: readonly PairRun[], context: ArrivalsContext) {
    this.#runs = runs
    this.#c = context
  }

  begin(): void {
    this.#watching = Promise.all(this.#runs.map((run) => this.#watch(run)))
  }

  /**
   * Takes up what has come by the end of the application, for as long as the signal lets it. Returns, for each database that is there and
   * could not be taken up, why.
   */
  async end(signal: AbortSignal): Promise<Map<string, Error>> {
    const limit = (): void => this.#limit.abort(signal.reason)
    signal.addEventListener('abort', limit, { once: true })
    this.#ending.abort()
    await this.#watching
    const left = new Map<string, Error>()
    for (const run of this.#runs) {
      if (!run.isExpected || !isThere(run.database)) continue
      await run.start(this.#limit.signal).catch((error: Error) => {
        if (run.isExpected) left.set(run.pair.database, error)
      })
    }
    signal.removeEventListener('abort', limit)
    return left
  }

  async #watch(run: PairRun): Promise<void> {
    let told: string | undefined
    let pauseMs = LOOK_MS
    let doubted = false
    // Somebody else may start it, by a command.
    while (!this.#ending.signal.aborted && run.isExpected) {
      try {
        const plan = planArrival(databaseKind(run.database))
        run.expect(plan === 'wait' ? undefined : Date.now())
        // What it is instead of a database in WAL mode, the first attempt says.
        if (plan === 'begin' || (plan === 'doubt' && !doubted)) await run.start(this.#limit.signal)
        if (plan === 'wait') doubted = false
        pauseMs = LOOK_MS
      } catch (error) {
        const { code } = describeFailure(error)
        if (planRefusedArrival(code) === 'stop-application') {
          this.#c.onRefused(error as Error)
          return
        }
        if (this.#ending.signal.aborted) return
        doubted = IS_NO_DATABASE.has(code)
        pauseMs = told === code && !doubted ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : LOOK_MS
        const source = { database: run.pair.database, replica: run.pair.display }
        if (told !== code) this.#c.news({ type: 'open-failed', source, error, retryInMs: pauseMs })
        told = code
      }
      await sleep(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    }
  }
}

/** Whether anything is there that could be lost. */
function isThere(database: string): boolean {
  let kind: DatabaseKind | 'missing'
  try {
    kind = databaseKind(database)
  } catch {
    return true
  }
  return planArrival(kind) !== 'wait'
}
