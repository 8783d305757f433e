import type { LTXFile } from '@sqlstream/replica'
import { describeFiles } from '../model/file-words.ts'
import type { Span } from '../model/scale.ts'
import type { StateRun } from '../model/states-layout.ts'
import type { Tick } from '../model/ticks.ts'
import type { Bar, BarPlace, TimelineRow } from '../model/timeline-layout.ts'
import { formatTXIDs } from '../model/units.ts'
import { s } from './element.ts'

const ROW = 26
const BAR = 16
const AXIS = 22
/** Pixels beside the plot. */
export const LEFT = 116
export const RIGHT = 12

/** What the picture shows. */
export interface TimelinePicture {
  readonly rows: readonly TimelineRow[]
  readonly runs: readonly StateRun[]
  /** How many states can be restored. */
  readonly states: number
  readonly ticks: readonly Tick[]
  readonly view: Span
  /** Pixels of the plot. */
  readonly width: number
  readonly chosen: BarPlace | undefined
  isDamaged(file: LTXFile): boolean
  /** The last of its files is meant. */
  onChoose(bar: Bar): void
  onOpen(bar: Bar): void
}

/** Pixels from top to bottom. */
export function heightOf(rows: number): number {
  return (rows + 1) * ROW + AXIS
}

/** The parts of the picture, from back to front. */
export function drawTimeline(picture: TimelinePicture): Node[] {
  const { rows, width, states } = picture
  return [
    drawTicks(picture),
    ...rows.flatMap((row, at) => [
      ...drawRail(row.name, row.count, at, width),
      s(
        'g',
        { class: row.level === 9 ? 'files snapshots' : 'files' },
        ...row.bars.map((bar, i) => drawBar(picture, bar, at, i)),
      ),
    ]),
    ...drawRail('restorable', states, rows.length, width),
    s('g', {}, ...picture.runs.map((run) => drawRun(run, rows.length, width))),
  ]
}

/** The name of a row, how many there are, and a line through it. */
function drawRail(name: string, count: number, at: number, width: number): Node[] {
  const middle = at * ROW + ROW / 2
  return [
    s('text', { class: 'level', x: 0, y: middle + 4 }, name),
    s('text', { class: 'count', x: LEFT - 10, y: middle + 4, 'text-anchor': 'end' }, String(count)),
    s('line', { class: 'rail', x1: LEFT, x2: LEFT + width, y1: middle, y2: middle }),
  ]
}

function drawBar(picture: TimelinePicture, bar: Bar, row: number, at: number): Node {
  const { width, chosen, isDamaged, onChoose, onOpen } = picture
  const from = Math.max(0, bar.x)
  const to = Math.min(width, bar.x + bar.width)
  const classes = ['file']
  if (bar.files.length > 1) classes.push('many')
  if (bar.files.some(isDamaged)) classes.push('damaged')
  if (chosen?.row === row && chosen.bar === at) classes.push('chosen')
  return s(
    'rect',
    {
      class: classes.join(' '),
      x: LEFT + from + 0.5,
      y: row * ROW + (ROW - BAR) / 2,
      width: Math.max(2, to - from - 1),
      height: BAR,
      rx: 3,
      onclick: () => onChoose(bar),
      ondblclick: () => onOpen(bar),
    },
    s('title', {}, describeFiles(bar.files)),
  )
}

function drawRun(run: StateRun, row: number, width: number): Node {
  const from = Math.max(0, run.x)
  const to = Math.min(width, run.x + run.width)
  const height = run.kind === 'gap' ? BAR : 6
  const range = formatTXIDs(run.from, run.to)
  const text = run.kind === 'gap' ? `Missing: transactions ${range}` : `Restorable: TXID ${range}`
  const y = row * ROW + (ROW - height) / 2
  return s(
    'rect',
    { class: `run ${run.kind}`, x: LEFT + from, y, width: Math.max(1, to - from), height },
    s('title', {}, text),
  )
}

function drawTicks({ rows, ticks, view, width }: TimelinePicture): Node {
  const bottom = heightOf(rows.length) - AXIS
  const pixels = width / (view.to - view.from)
  const group = s('g', { class: 'ticks' })
  for (const { at, label } of ticks) {
    const x = LEFT + (at - view.from) * pixels
    const anchor = x > LEFT + width - 30 ? 'end' : 'middle'
    group.append(
      s('line', { x1: x, x2: x, y1: 0, y2: bottom }),
      s('text', { x, y: bottom + 16, 'text-anchor': anchor }, label),
    )
  }
  return group
}
