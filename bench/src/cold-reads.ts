import { isDeepStrictEqual } from 'node:util'
import { atMost, type Figure } from './benchmark.ts'
import type { Child } from './child.ts'
import type { DistantReplicaReply } from './distant-replica-main.ts'

/** Something that is read for the first time, and what it should take at most. */
export interface ColdRead {
  readonly name: string
  readonly sql: string
  readonly requests: number
  readonly milliseconds?: number | undefined
}

/** A way to read a replica. */
export interface Reader {
  open(): Promise<void>
  /** All rows. */
  read(sql: string): Promise<unknown>
}

/** What a step took. */
interface Step {
  readonly milliseconds: number
  /** As the server counted them. */
  readonly requests: number
}

/** The opening, then each read, and what was read. */
export interface ColdRun {
  readonly open: Step
  readonly reads: readonly Step[]
  readonly answers: readonly unknown[]
}

/** Opens a replica and reads from it, one step after the other. */
export async function coldRun(
  server: Child<DistantReplicaReply>,
  reads: readonly ColdRead[],
  reader: Reader,
): Promise<ColdRun> {
  const step = async (work: () => Promise<unknown>): Promise<Step & { answer: unknown }> => {
    const started = performance.now()
    const answer = await work()
    const milliseconds = performance.now() - started
    return { milliseconds, requests: (await server.ask({})).requests, answer }
  }
  await server.ask({})
  const open = await step(() => reader.open())
  const steps: Array<Step & { answer: unknown }> = []
  for (const { sql } of reads) steps.push(await step(() => reader.read(sql)))
  return { open, reads: steps, answers: steps.map(({ answer }) => answer) }
}

/** Figures of a run beside those of another reader, if there is one. Throws Error when they have read something else. */
export function coldFigures(
  reads: readonly ColdRead[],
  ours: ColdRun,
  theirs: ColdRun | undefined,
  { than, openRequests }: { readonly than: string; readonly openRequests: number },
): Figure[] {
  if (theirs && !isDeepStrictEqual(ours.answers, theirs.answers))
    throw new Error(`${than} has read something else`)
  const figures: Figure[] = []
  const line = (name: string, our: Step, their: Step | undefined, goals: Partial<ColdRead> = {}): void => {
    const both = [
      { what: 'requests', unit: '', key: 'requests' },
      { what: 'time', unit: 'ms', key: 'milliseconds' },
    ] as const
    for (const { what, unit, key } of both) {
      const goal = goals[key]
      figures.push({
        name: `${name}: ${what}`,
        value: our[key],
        unit,
        ...(their && { ratio: our[key] / their[key], than }),
        ...(goal !== undefined && atMost(our[key], goal, unit)),
      })
      if (their) figures.push({ name: `${name}, ${than}: ${what}`, value: their[key], unit })
    }
  }
  line('open', ours.open, undefined, { requests: openRequests })
  const [first] = reads
  if (first) {
    // When the other reader does the work of opening is its own affair.
    const together = ({ open, reads: [read] }: ColdRun): Step => ({
      milliseconds: open.milliseconds + (read?.milliseconds ?? 0),
      requests: open.requests + (read?.requests ?? 0),
    })
    line(`open and ${first.name}`, together(ours), theirs && together(theirs))
  }
  for (const [i, read] of reads.entries()) line(read.name, ours.reads[i]!, theirs?.reads[i], read)
  return figures
}
