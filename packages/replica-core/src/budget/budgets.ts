import { Replica } from '@sqlstream/replica'
import { Slots } from '@sqlstream/storage'
import type { DiskLimits } from '../plan-disk.ts'
import type { Limits } from '../primary-context.ts'
import { budgetedStore } from './budgeted-store.ts'
import { DiskBudget } from './disk-budget.ts'
import type { RequestEstimate } from './plan-requests.ts'
import { RequestMeter } from './request-meter.ts'
import { RequestThrottle } from './request-throttle.ts'

const MOST_UPLOADS = 64
const MOST_MAINTENANCES = 4
const MOST_UPLOAD_BYTES = 256 << 20

/** What all databases of a process may take together. */
export interface BudgetOptions {
  readonly disk?: DiskLimits | undefined
  /** How many files are uploaded at once. Default 64. */
  readonly maxUploads?: number | undefined
  /** How many databases have their files merged and removed at once. Default 4. */
  readonly maxMaintenances?: number | undefined
  /** Bytes of files that are in memory to be uploaded. Default 256 MiB. */
  readonly maxUploadBytes?: number | undefined
  /** Calls of stores in a second; databases take turns, and leases are renewed at once. Default: as many as there are. */
  readonly maxRequestsPerSecond?: number | undefined
  /** Calls of stores in 30 days, beyond which it is warned. Default: never. */
  readonly monthlyRequests?: number | undefined
  /** Called when a month would be over the budget if it went on as in the last day. Must be cheap. */
  readonly onRequestsOverBudget?: ((estimate: RequestEstimate) => void) | undefined
}

/** What is left of {@link BudgetOptions}. Shared by all who are to keep them together: fleets, and primaries on their own. */
export class Budgets {
  readonly disk: DiskBudget
  readonly limits: Limits
  readonly #throttle: RequestThrottle | undefined
  readonly #meter: RequestMeter | undefined

  /** @throws RangeError for a limit that is none */
  constructor(options: BudgetOptions = {}) {
    const { maxRequestsPerSecond, monthlyRequests, onRequestsOverBudget = () => undefined } = options
    this.disk = new DiskBudget(options.disk)
    this.limits = {
      uploads: new Slots(options.maxUploads ?? MOST_UPLOADS),
      maintenances: new Slots(options.maxMaintenances ?? MOST_MAINTENANCES),
      uploadBytes: new Slots(options.maxUploadBytes ?? MOST_UPLOAD_BYTES),
    }
    if (maxRequestsPerSecond !== undefined) this.#throttle = new RequestThrottle(maxRequestsPerSecond)
    if (monthlyRequests !== undefined) this.#meter = new RequestMeter(monthlyRequests, onRequestsOverBudget)
  }

  /** What a month of requests comes to by the last day; undefined without a budget for it, and in the first hour. */
  get requests(): RequestEstimate | undefined {
    return this.#meter?.estimate
  }

  /** The replica of a database, whose requests are counted and take turns with those of others. */
  replica(replica: Replica, database: string): Replica {
    const throttle = this.#throttle
    const meter = this.#meter
    if (throttle === undefined && meter === undefined) return replica
    const store = budgetedStore(replica.store, {
      async enter(operation, urgent, signal) {
        meter?.count(operation)
        if (urgent) throttle?.takeNow()
        else await throttle?.enter(database, signal)
      },
    })
    return new Replica(store, { layout: replica.layout })
  }
}
