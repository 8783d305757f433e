import type { Capabilities, ConditionalPutReport } from '@sqlstream/storage'
import type { ConformanceResult } from '@sqlstream/storage-conformance'

/** What became of a clause of the contract: broken when one of its tests failed, not tried when all were skipped. */
export type ClauseOutcome = 'kept' | 'broken' | 'not tried'

/** One clause of the contract. */
export interface ClauseResult {
  readonly clause: string
  readonly outcome: ClauseOutcome
}

/** The verdict on a store. */
export interface StorageVerdict {
  /** No clause is broken, and no claim was disproved. */
  readonly ok: boolean
  readonly clauses: readonly ClauseResult[]
  /** What the store says of itself and does not keep. */
  readonly disproved: readonly (keyof Capabilities)[]
}

/** Clauses that the name of a conformance test cites: all before the colon. */
export function clausesOf(test: string): string[] {
  return test.slice(0, test.indexOf(':')).match(/\bS\d+\b/g) ?? []
}

/** Sums up what was found out about a store. Clauses are in the order of their numbers. */
export function judgeStore(
  capabilities: Capabilities,
  probe: ConditionalPutReport,
  results: readonly ConformanceResult[],
): StorageVerdict {
  const outcomes = new Map<string, ClauseOutcome>()
  for (const { test, outcome } of results) {
    for (const clause of clausesOf(test)) {
      const before = outcomes.get(clause)
      if (outcome === 'failed' || before === 'broken') outcomes.set(clause, 'broken')
      else if (outcome === 'passed' || before === 'kept') outcomes.set(clause, 'kept')
      else outcomes.set(clause, 'not tried')
    }
  }
  const clauses = [...outcomes]
    .map(([clause, outcome]) => ({ clause, outcome }))
    .sort((a, b) => numberOf(a.clause) - numberOf(b.clause))
  const isBroken = (names: readonly string[]): boolean =>
    names.some((name) => outcomes.get(name) === 'broken')
  const disproved: (keyof Capabilities)[] = []
  if (capabilities.conditionalPut && (!probe.honoured || isBroken(CONDITIONAL)))
    disproved.push('conditionalPut')
  if (capabilities.consistentList && isBroken(['S9'])) disproved.push('consistentList')
  const ok = disproved.length === 0 && clauses.every(({ outcome }) => outcome !== 'broken')
  return { ok, clauses, disproved }
}

const CONDITIONAL = ['S30', 'S31', 'S32', 'S33', 'S44']

function numberOf(clause: string): number {
  return Number(clause.slice(1))
}

/** `S1-S3, S7` */
export function formatClauses(clauses: readonly string[]): string {
  const numbers = clauses.map(numberOf)
  const runs: [first: number, last: number][] = []
  for (const n of numbers) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] === n - 1) run[1] = n
    else runs.push([n, n])
  }
  return runs.map(([first, last]) => (first === last ? `S${first}` : `S${first}-S${last}`)).join(', ')
}

/** What the probe found, as a line for people. */
export function probeLine(capabilities: Capabilities, probe: ConditionalPutReport): string {
  const races = {
    'one-winner': ', one winner in every race',
    'several-winners': ', several winners in a race',
    'no-winner': ', no winner in a race',
    'not-tried': '',
  }[probe.races]
  if (capabilities.conditionalPut)
    return `conditional puts: claimed and ${probe.honoured ? '' : 'not '}honoured${races}`
  return 'conditional puts: none, says the driver; a replica there needs lease.soleWriter'
}
