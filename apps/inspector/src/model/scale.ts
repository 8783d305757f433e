import type { TXID } from '@sqlstream/ltx'
import { fileTime, type LTXFile } from '@sqlstream/replica'

/** What the horizontal axis counts: transactions, or milliseconds. */
export type Axis = 'txid' | 'time'

/** A stretch of the axis, in its units: transactions since `first`, or ms since 1970. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Where files lie on an axis. */
export interface Scale {
  readonly axis: Axis
  /** The transaction at 0, where the axis counts transactions. */
  readonly origin: bigint
  /** Everything there is. */
  readonly whole: Span
  /** From the state before a file's first transaction to that after its last; a snapshot is a point. */
  spanOf(file: LTXFile): Span
  /** Where the state after a transaction lies; undefined where nothing tells. */
  positionOf(txid: TXID): number | undefined
}

/** Transactions from the first file on: a file takes as many units as it holds transactions. */
export function txidScale(files: readonly LTXFile[]): Scale {
  let first: bigint | undefined
  let last = 0n
  for (const file of files) {
    const start = file.minTXID === 1n ? file.maxTXID - 1n : file.minTXID - 1n
    if (first === undefined || start < first) first = start
    if (file.maxTXID > last) last = file.maxTXID
  }
  const origin = first ?? 0n
  const at = (txid: bigint): number => Number(txid - origin)
  return {
    axis: 'txid',
    origin,
    whole: { from: 0, to: Math.max(1, at(last)) },
    spanOf: ({ minTXID, maxTXID }) => ({
      from: minTXID === 1n ? at(maxTXID) : at(minTXID - 1n),
      to: at(maxTXID),
    }),
    positionOf: at,
  }
}

/** The clock of the writer, as far as headers were read, else that of the store. */
export function timeScale(files: readonly LTXFile[]): Scale {
  const ends = files.map((file) => ({ txid: file.maxTXID, time: fileTime(file) }))
  ends.sort((a, b) => (a.txid === b.txid ? a.time - b.time : a.txid < b.txid ? -1 : 1))
  const times = ends.map(({ time }) => time)
  const from = times.length === 0 ? 0 : times.reduce((a, b) => Math.min(a, b))
  const to = times.length === 0 ? 1 : times.reduce((a, b) => Math.max(a, b))

  /** The time of the last state at or before a transaction. */
  function before(txid: bigint): number | undefined {
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ends[middle]!.txid <= txid) low = middle + 1
      else high = middle
    }
    return ends[low - 1]?.time
  }

  return {
    axis: 'time',
    origin: 0n,
    whole: { from, to: Math.max(from + 1, to) },
    spanOf: (file) => {
      const end = fileTime(file)
      if (file.minTXID === 1n) return { from: end, to: end }
      return { from: Math.min(before(file.minTXID - 1n) ?? end, end), to: end }
    },
    positionOf: before,
  }
}

/** The same stretch, closer or farther: `at` keeps its place, and nothing beyond the whole is shown. */
export function zoom(whole: Span, view: Span, factor: number, at: number): Span {
  const size = Math.min(whole.to - whole.from, Math.max((view.to - view.from) / factor, leastSize(whole)))
  const share = (at - view.from) / (view.to - view.from)
  return clampSpan(whole, { from: at - share * size, to: at + (1 - share) * size })
}

/** Moves a stretch by a share of its size. */
export function pan(whole: Span, view: Span, share: number): Span {
  const by = share * (view.to - view.from)
  return clampSpan(whole, { from: view.from + by, to: view.to + by })
}

/** Moved just so far that it lies inside the whole. */
export function clampSpan(whole: Span, { from, to }: Span): Span {
  const size = Math.min(to - from, whole.to - whole.from)
  const start = Math.min(Math.max(from, whole.from), whole.to - size)
  return { from: start, to: start + size }
}

/** A few units, whatever they are. */
function leastSize({ from, to }: Span): number {
  return Math.min(4, to - from)
}
