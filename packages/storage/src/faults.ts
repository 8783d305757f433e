import type { StorageErrorCode } from './errors.ts'

/** Which calls a fault hits. */
export interface FaultTarget {
  /**
   * Only calls on this key; for list it is compared with the prefix, for delete with each key.
   * Default: every call of the operation.
   */
  readonly key?: string | RegExp | undefined
  /** Counted from 1 among the calls that `operation` and `key` select: the n-th, or first to last. Default: each. */
  readonly at?: number | readonly [first: number, last: number] | undefined
}

/** What a failing call rejects with: a StorageError of this code, or this very error. Default: 'unavailable'. */
export interface FaultError {
  readonly error?: StorageErrorCode | Error | undefined
}

/** The call fails and nothing is applied. */
export interface FailFault extends FaultError {
  readonly fault: 'fail'
}
/** The call, or its answer, waits for this hook: a gate to hold a call open, or a fake clock. */
export interface DelayFault {
  readonly fault: 'delay'
  readonly wait: () => Promise<void>
  /** Before anything is applied, or after it was applied and before the caller hears of it. Default: before. */
  readonly when?: 'before' | 'after' | undefined
}
/** The store did it, the answer was lost. */
export interface AppliedButFailedFault extends FaultError {
  readonly fault: 'applied-but-failed'
}
/** The store says that it did it and did not. For delete: the selected keys stay, the others go. */
export interface NotAppliedFault {
  readonly fault: 'not-applied-but-succeeded'
}
/** A store that knows no conditional put and says nothing. */
export interface IgnorePreconditionFault {
  readonly fault: 'ignore-precondition'
}
/** Part of the body becomes visible, and the call fails: a destination that is not atomic. */
export interface PartialFault extends FaultError {
  readonly fault: 'partial'
  readonly bytes: number
}
/** The body ends after so many bytes: with an error, or as if it were complete. */
export interface TruncateFault extends FaultError {
  readonly fault: 'truncate'
  readonly bytes: number
  /** Default: error. */
  readonly ending?: 'error' | 'silent' | undefined
}
/** The listing fails after so many entries. */
export interface CutListFault extends FaultError {
  readonly fault: 'cut'
  readonly entries: number
}
/** The listing does not know the newest objects yet. */
export interface StaleListFault {
  readonly fault: 'stale'
  /** How many of the listed objects are missing, newest by `modified`, then by key. */
  readonly newest: number
}
/** The listing has no order. */
export interface ShuffleListFault {
  readonly fault: 'shuffle'
  /** The same seed gives the same order. Default: 1. */
  readonly seed?: number | undefined
}

/** One line of a fault plan: which calls, and what happens to them. */
export type Fault = FaultTarget &
  (
    | ({ readonly operation: 'list' } & (
        | FailFault
        | DelayFault
        | CutListFault
        | StaleListFault
        | ShuffleListFault
      ))
    | ({ readonly operation: 'head' } & (FailFault | DelayFault))
    | ({ readonly operation: 'get' } & (FailFault | DelayFault | TruncateFault))
    | ({ readonly operation: 'put' } & (
        | FailFault
        | DelayFault
        | AppliedButFailedFault
        | NotAppliedFault
        | IgnorePreconditionFault
        | PartialFault
      ))
    | ({ readonly operation: 'copy' } & (
        | FailFault
        | DelayFault
        | AppliedButFailedFault
        | IgnorePreconditionFault
      ))
    | ({ readonly operation: 'delete' } & (FailFault | DelayFault | AppliedButFailedFault | NotAppliedFault))
  )

/** Faults of one operation. */
export type FaultOf<Operation extends Fault['operation']> = Extract<Fault, { readonly operation: Operation }>

/** A call that a fault has hit. */
export interface FiredFault {
  readonly fault: Fault
  /** The key; the prefix of a list, the keys of a delete joined by commas. */
  readonly key: string
}

/** Counts calls per fault and tells which faults hit the present one. */
export class FaultSchedule {
  readonly fired: FiredFault[] = []
  #plan: readonly Fault[] = []
  readonly #counts = new Map<Fault, number>()

  setPlan(plan: readonly Fault[]): void {
    this.#plan = plan
    this.#counts.clear()
  }

  /** The faults of this call in the order of the plan. */
  hit<Operation extends Fault['operation']>(
    operation: Operation,
    keys: readonly string[],
  ): FaultOf<Operation>[] {
    const hits: FaultOf<Operation>[] = []
    for (const fault of this.#plan) {
      if (!isOperation(fault, operation) || !keys.some((key) => selectsKey(fault, key))) continue
      const count = (this.#counts.get(fault) ?? 0) + 1
      this.#counts.set(fault, count)
      const [first, last] = typeof fault.at === 'number' ? [fault.at, fault.at] : (fault.at ?? [1, Infinity])
      if (count < first || count > last) continue
      this.fired.push({ fault, key: keys.join(',') })
      hits.push(fault)
    }
    return hits
  }
}

export function selectsKey(fault: FaultTarget, key: string): boolean {
  if (fault.key === undefined) return true
  return typeof fault.key === 'string' ? fault.key === key : key.search(fault.key) !== -1
}

function isOperation<Operation extends Fault['operation']>(
  fault: Fault,
  operation: Operation,
): fault is FaultOf<Operation> {
  return fault.operation === operation
}
