import type { DatabaseRow } from '../control/database-row.ts'
import { Activity } from './activity.ts'
import { type Family, formatExposition } from './exposition.ts'
import { standing, standingOfEach } from './standing.ts'

/** How metrics are made. */
export interface MetricsOptions {
  readonly version: string
  /** Also one number for each database. Default false: their number is without bound. */
  readonly perDatabase: boolean
}

/** The figures of a running `replicate`. */
export class Metrics {
  /** To be told what happens. */
  readonly activity: Activity = new Activity()
  readonly #o: MetricsOptions
  readonly #startedAt = Date.now()

  constructor(options: MetricsOptions) {
    this.#o = options
  }

  /** All of them as text. @param databases of the process, as they stand now */
  text(databases: Iterable<DatabaseRow>): string {
    const rows = [...databases]
    const now = Date.now()
    return formatExposition([
      ...standing(rows, now),
      ...(this.#o.perDatabase ? standingOfEach(rows, now) : []),
      ...this.activity.families(),
      ...this.#process(),
    ])
  }

  #process(): Family[] {
    const { user, system } = process.cpuUsage()
    const one = (name: string, type: Family['type'], help: string, value: number): Family => ({
      name,
      type,
      help,
      samples: [{ value }],
    })
    return [
      {
        name: 'sqlstream_build_info',
        type: 'gauge',
        help: 'The version that runs.',
        samples: [{ labels: { version: this.#o.version }, value: 1 }],
      },
      one('process_start_time_seconds', 'gauge', 'When the process began.', this.#startedAt / 1000),
      one('process_cpu_seconds_total', 'counter', 'Time of processors that it used.', (user + system) / 1e6),
      one('process_resident_memory_bytes', 'gauge', 'Memory that it takes.', process.memoryUsage.rss()),
    ]
  }
}
