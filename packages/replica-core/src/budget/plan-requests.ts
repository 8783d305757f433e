/** Requests by what they do, as the store is called. */
export type RequestCounts = Readonly<Record<string, number>>

/** What was counted. */
export interface CountedRequests {
  readonly counts: RequestCounts
  /** In so many milliseconds. */
  readonly milliseconds: number
}

/** What a month will cost if it goes on like this. */
export interface RequestEstimate {
  readonly perMonth: number
  /** The operation that is called most, and how much of the whole that is, from 0 to 1. */
  readonly operation: string
  readonly share: number
}

const MONTH_MS = 30 * 86_400_000
/** Before that, a start would look like a month of starts. */
const OBSERVED_MS = 3_600_000
/** Between two warnings, unless it has become twice as bad. */
const REPEAT_MS = 86_400_000

/** Projects a month of 30 days; undefined when too little was seen. Pure. */
export function estimateRequests({ counts, milliseconds }: CountedRequests): RequestEstimate | undefined {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  if (milliseconds < OBSERVED_MS || total === 0) return undefined
  const [operation, most] = Object.entries(counts).reduce((a, b) => (b[1] > a[1] ? b : a))
  return { perMonth: Math.round((total / milliseconds) * MONTH_MS), operation, share: most / total }
}

/** The last warning. */
export interface RequestWarning {
  /** When, on the clock of {@link CountedRequests}, ms. */
  readonly at: number
  readonly perMonth: number
}

/** Whether an estimate is to be told: it is over the budget, and news. Pure. */
export function isOverBudget(
  { perMonth }: RequestEstimate,
  budget: number,
  now: number,
  last: RequestWarning | undefined,
): boolean {
  if (perMonth <= budget) return false
  return last === undefined || now - last.at >= REPEAT_MS || perMonth >= last.perMonth * 2
}
