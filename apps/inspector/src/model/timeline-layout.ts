import { type LTXFile, SNAPSHOT_LEVEL } from '@sqlstream/replica'
import type { Scale, Span } from './scale.ts'

/** One rectangle of the timeline: a file, or several that are too close together to be told apart. */
export interface Bar {
  /** Pixels from the left of the plot. */
  readonly x: number
  readonly width: number
  /** One, or several in the order of their TXIDs. */
  readonly files: readonly LTXFile[]
}

/** One level. */
export interface TimelineRow {
  readonly level: number
  readonly name: string
  /** All files of the level, in view or not. */
  readonly count: number
  readonly bars: readonly Bar[]
}

/** What to lay out. */
export interface TimelineInput {
  readonly levels: ReadonlyMap<number, readonly LTXFile[]>
  readonly scale: Scale
  readonly view: Span
  /** Pixels of the plot. */
  readonly width: number
}

/** Below this a bar cannot be hit, pixels. */
const LEAST_BAR = 6
/** A snapshot is a point in the history, and drawn as one, pixels. */
const SNAPSHOT_BAR = 10

/** Snapshots on top, then merges from coarse to fine, captures at the bottom: as a restore goes through them. */
export function layoutTimeline({ levels, scale, view, width }: TimelineInput): TimelineRow[] {
  const pixels = width / (view.to - view.from)
  return [...levels]
    .sort(([a], [b]) => b - a)
    .map(([level, files]) => {
      const placed: Bar[] = []
      for (const file of files) {
        const bar = place(file, scale.spanOf(file), view, pixels)
        if (bar.x + bar.width >= 0 && bar.x <= width) placed.push(bar)
      }
      return { level, name: levelName(level), count: files.length, bars: merge(placed) }
    })
}

/** For people: what a level is for. */
export function levelName(level: number): string {
  if (level === SNAPSHOT_LEVEL) return 'snapshots'
  return level === 0 ? 'captures' : `merges ${level}`
}

function place(file: LTXFile, span: Span, view: Span, pixels: number): Bar {
  const from = (span.from - view.from) * pixels
  const to = (span.to - view.from) * pixels
  const least = file.minTXID === 1n ? SNAPSHOT_BAR : LEAST_BAR
  if (to - from >= least) return { x: from, width: to - from, files: [file] }
  // It ends where its state lies, but that of the first one must be seen, too.
  return { x: to >= 0 && to < least ? 0 : to - least, width: least, files: [file] }
}

/** Bars that overlap become one, as long as those are small ones. */
function merge(bars: readonly Bar[]): Bar[] {
  const sorted = [...bars].sort((a, b) => a.x - b.x)
  const result: { x: number; width: number; files: LTXFile[] }[] = []
  for (const { x, width, files } of sorted) {
    const last = result[result.length - 1]
    const isSmall = width <= SNAPSHOT_BAR && last !== undefined && last.width < 4 * LEAST_BAR
    if (!isSmall || x >= last.x + last.width - 1) {
      result.push({ x, width, files: [...files] })
      continue
    }
    last.width = Math.max(last.x + last.width, x + width) - last.x
    last.files.push(...files)
  }
  return result
}

/** The place of a file among bars. */
export interface BarPlace {
  readonly row: number
  readonly bar: number
}

/** Where a file is drawn; undefined when it is out of view. */
export function findBar(rows: readonly TimelineRow[], key: string | undefined): BarPlace | undefined {
  if (key === undefined) return undefined
  for (const [row, { bars }] of rows.entries()) {
    const bar = bars.findIndex(({ files }) => files.some((file) => file.key === key))
    if (bar >= 0) return { row, bar }
  }
  return undefined
}

/** The bar of another row that is the nearest: where an arrow key leads. */
export function nearestBar(rows: readonly TimelineRow[], from: BarPlace, step: 1 | -1): BarPlace | undefined {
  const start = rows[from.row]?.bars[from.bar]
  if (!start) return undefined
  const middle = start.x + start.width / 2
  for (let row = from.row + step; row >= 0 && row < rows.length; row += step) {
    const bars = rows[row]!.bars
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (const [i, bar] of bars.entries()) {
      const distance = Math.max(bar.x - middle, middle - bar.x - bar.width, 0)
      if (distance < least) {
        best = i
        least = distance
      }
    }
    if (best >= 0) return { row, bar: best }
  }
  return undefined
}
