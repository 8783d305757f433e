import {
  estimateRequests,
  isOverBudget,
  type RequestCounts,
  type RequestEstimate,
  type RequestWarning,
} from './plan-requests.ts'

const HOUR_MS = 3_600_000
/** Hours that an estimate is made of. */
const WINDOW = 24

/** Counts requests, by the hour, and tells when a month of them would be more than a budget. Keeps nothing on disk. */
export class RequestMeter {
  readonly #budget: number
  readonly #onOver: (estimate: RequestEstimate) => void
  readonly #now: () => number
  /** The last one is the present hour. */
  readonly #hours: Map<string, number>[] = [new Map()]
  #hourBegan: number
  #checked: number
  #warned: RequestWarning | undefined

  /** @param now milliseconds, from anywhere */
  constructor(
    budget: number,
    onOver: (estimate: RequestEstimate) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#budget = budget
    this.#onOver = onOver
    this.#now = now
    this.#hourBegan = now()
    this.#checked = now()
  }

  count(operation: string): void {
    const now = this.#now()
    while (now - this.#hourBegan >= HOUR_MS) {
      this.#hours.push(new Map())
      if (this.#hours.length > WINDOW) this.#hours.shift()
      this.#hourBegan += HOUR_MS
    }
    const hour = this.#hours.at(-1) as Map<string, number>
    hour.set(operation, (hour.get(operation) ?? 0) + 1)
    if (now - this.#checked < HOUR_MS / 60) return
    this.#checked = now
    const estimate = this.estimate
    if (estimate === undefined || !isOverBudget(estimate, this.#budget, now, this.#warned)) return
    this.#warned = { at: now, perMonth: estimate.perMonth }
    this.#onOver(estimate)
  }

  /** What a month costs by the last day; undefined in the first hour. */
  get estimate(): RequestEstimate | undefined {
    const counts: Record<string, number> = {}
    for (const hour of this.#hours)
      for (const [operation, count] of hour) counts[operation] = (counts[operation] ?? 0) + count
    const milliseconds = (this.#hours.length - 1) * HOUR_MS + (this.#now() - this.#hourBegan)
    return estimateRequests({ counts: counts as RequestCounts, milliseconds })
  }
}
