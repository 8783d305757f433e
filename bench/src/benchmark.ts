/** How much a benchmark does: `full` for figures to be kept, `quick` for a look, `tiny` to prove that it runs. */
export type Size = 'full' | 'quick' | 'tiny'

/** Something measured. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** `value` divided by what was measured of `than` in the same process or minute. */
  readonly ratio?: number
  readonly than?: string
  readonly goal?: string
  readonly met?: boolean
}

/** What one benchmark found out. */
export interface Report {
  readonly figures: readonly Figure[]
  readonly notes: readonly string[]
}

/** What a benchmark is given. */
export interface BenchmarkContext {
  readonly size: Size
  /** An empty folder on a real disk, removed afterwards. */
  readonly folder: string
  /** Path of a closed database in WAL mode of about this many bytes, made once a run. Copy it, never write to it. */
  database(bytes: number): string
  /** Tells how far it is. */
  say(text: string): void
}

/** One of the benchmarks that `run.ts` knows. */
export interface Benchmark {
  readonly title: string
  readonly description: string
  run(context: BenchmarkContext): Promise<Report>
}

/** A goal that a value must stay below, or reach. */
export function atMost(value: number, limit: number, unit: string): { goal: string; met: boolean } {
  return { goal: `≤ ${limit} ${unit}`.trim(), met: value <= limit }
}

export function atLeast(value: number, limit: number, unit = ''): { goal: string; met: boolean } {
  return { goal: `≥ ${limit} ${unit}`.trim(), met: value >= limit }
}
