import type { TXID, TXIDRange } from '@sqlstream/ltx'
import type { Scale, Span } from './scale.ts'

/** A stretch of states of the same kind. */
export interface StateRun {
  readonly kind: 'restorable' | 'gap'
  /** Pixels from the left of the plot. */
  readonly x: number
  readonly width: number
  readonly from: bigint
  readonly to: bigint
}

/** What to lay out. */
export interface StatesInput {
  /** Ascending. */
  readonly restorable: readonly TXID[]
  readonly gaps: readonly TXIDRange[]
  readonly scale: Scale
  readonly view: Span
  /** Pixels of the plot. */
  readonly width: number
}

/** A state is a mark of so many pixels at least. */
const LEAST = 3

/** The states that can be restored as marks, those that touch as one; gaps over them. */
export function layoutStates({ restorable, gaps, scale, view, width }: StatesInput): StateRun[] {
  const pixels = width / (view.to - view.from)
  const x = (at: number): number => (at - view.from) * pixels
  const marks = restorable.flatMap((txid) => {
    const at = scale.positionOf(txid)
    if (at === undefined) return []
    const end = x(at)
    return [{ txid, start: Math.min(end - LEAST, scale.axis === 'txid' ? x(at - 1) : end), end }]
  })
  // Clocks go back, and a file whose header was not read has the time of the store.
  marks.sort((a, b) => a.start - b.start)
  const runs: { kind: 'restorable'; x: number; width: number; from: bigint; to: bigint }[] = []
  for (const { txid, start, end } of marks) {
    const last = runs[runs.length - 1]
    if (last && start <= last.x + last.width + 0.5) {
      last.width = Math.max(last.width, end - last.x)
      if (txid > last.to) last.to = txid
      if (txid < last.from) last.from = txid
    } else runs.push({ kind: 'restorable', x: start, width: end - start, from: txid, to: txid })
  }
  const holes = gaps.map(({ minTXID, maxTXID }): StateRun => {
    const start = x(scale.positionOf((minTXID - 1n) as TXID) ?? view.from)
    const end = x(scale.positionOf(maxTXID) ?? view.from)
    return { kind: 'gap', x: start, width: Math.max(LEAST, end - start), from: minTXID, to: maxTXID }
  })
  return [...runs, ...holes].filter((run) => run.x + run.width >= 0 && run.x <= width)
}
