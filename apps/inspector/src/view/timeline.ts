import type { LTXFile } from '@sqlstream/replica'
import type { Inspection } from '../inspection.ts'
import { describeFile } from '../model/file-words.ts'
import {
  type Axis,
  clampSpan,
  pan,
  type Scale,
  type Span,
  timeScale,
  txidScale,
  zoom,
} from '../model/scale.ts'
import { layoutStates } from '../model/states-layout.ts'
import { timeTicks, txidTicks } from '../model/ticks.ts'
import { findBar, layoutTimeline, nearestBar, type TimelineRow } from '../model/timeline-layout.ts'
import { counted } from '../model/units.ts'
import { h, s } from './element.ts'
import { drawTimeline, heightOf, LEFT, RIGHT } from './timeline-drawing.ts'

/** Least distance of two marks, by what they carry. */
const TICK: Readonly<Record<Axis, number>> = { txid: 64, time: 104 }

/** Levels as rows, files as bars. One stop of the tab key; arrows move from file to file. */
export class Timeline {
  readonly element: HTMLElement
  readonly #inspection: Inspection
  readonly #plot: SVGSVGElement
  readonly #says: HTMLElement
  readonly #axes: HTMLElement
  #axis: Axis = 'txid'
  #scale: Scale
  #view: Span
  #rows: TimelineRow[] = []
  #width = 0

  constructor(inspection: Inspection) {
    this.#inspection = inspection
    this.#scale = txidScale(inspection.files)
    this.#view = this.#scale.whole
    this.#plot = s('svg', {
      class: 'plot',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'timeline',
      'aria-label': 'Timeline of files. Arrow keys move from file to file, plus and minus zoom, 0 shows all.',
      'aria-describedby': 'timeline-says',
      onkeydown: (event: KeyboardEvent) => this.#key(event),
      onwheel: (event: WheelEvent) => this.#wheel(event),
    })
    this.#says = h('p', { id: 'timeline-says', class: 'says', 'aria-live': 'polite' })
    this.#axes = h(
      'div',
      { class: 'choice', role: 'group', 'aria-label': 'Axis' },
      this.#axisButton('txid', 'Transactions'),
      this.#axisButton('time', 'Time'),
    )
    const zoomBy = (factor: number) => () => this.#zoom(factor)
    this.element = h(
      'section',
      { class: 'timeline', 'aria-label': 'Timeline' },
      h(
        'div',
        { class: 'bar' },
        h('h2', {}, 'Timeline'),
        this.#axes,
        h(
          'div',
          { class: 'choice', role: 'group', 'aria-label': 'Zoom' },
          h(
            'button',
            { type: 'button', title: 'Farther (−)', 'aria-label': 'Zoom out', onclick: zoomBy(0.5) },
            '−',
          ),
          h(
            'button',
            { type: 'button', title: 'Closer (+)', 'aria-label': 'Zoom in', onclick: zoomBy(2) },
            '+',
          ),
          h(
            'button',
            { type: 'button', title: 'Everything (0)', onclick: () => this.#show(this.#scale.whole) },
            'All',
          ),
        ),
      ),
      this.#plot,
      this.#says,
    )
    new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width ?? 0
      this.update()
    }).observe(this.#plot)
  }

  /** Draws what is known now. */
  update(): void {
    if (this.#width === 0) return
    const files = this.#inspection.timed()
    const wasWhole = isSame(this.#view, this.#scale.whole)
    this.#scale = this.#axis === 'txid' ? txidScale(files) : timeScale(files)
    this.#view = wasWhole ? this.#scale.whole : clampSpan(this.#scale.whole, this.#view)
    const levels = new Map<number, LTXFile[]>()
    for (const file of files) {
      const level = levels.get(file.level)
      if (level) level.push(file)
      else levels.set(file.level, [file])
    }
    const width = Math.max(60, this.#width - LEFT - RIGHT)
    this.#rows = layoutTimeline({ levels, scale: this.#scale, view: this.#view, width })
    this.#draw(width)
    this.#say()
    for (const button of this.#axes.children) {
      button.setAttribute('aria-pressed', String(button.getAttribute('data-axis') === this.#axis))
    }
  }

  #draw(width: number): void {
    const { restorable, gaps } = this.#inspection.status
    const scale = this.#scale
    const view = this.#view
    const most = Math.floor(width / TICK[this.#axis])
    this.#plot.setAttribute('viewBox', `0 0 ${this.#width} ${heightOf(this.#rows.length)}`)
    this.#plot.setAttribute('height', String(heightOf(this.#rows.length)))
    const parts = drawTimeline({
      rows: this.#rows,
      runs: layoutStates({ restorable, gaps, scale, view, width }),
      states: restorable.length,
      ticks: this.#axis === 'txid' ? txidTicks(view, most, scale.origin) : timeTicks(view, most),
      view,
      width,
      chosen: findBar(this.#rows, this.#inspection.selected?.key),
      isDamaged: (file) => this.#isDamaged(file),
      onChoose: ({ files }) => this.#choose(files[files.length - 1] as LTXFile),
      onOpen: ({ files }) => this.#zoomTo(files),
    })
    this.#plot.replaceChildren(...parts)
  }

  #isDamaged({ key }: LTXFile): boolean {
    const { headers, checked } = this.#inspection
    return [headers.get(key), checked.get(key)].some((seen) => seen !== undefined && 'error' in seen)
  }

  #say(): void {
    const file = this.#inspection.selected
    if (!file) {
      this.#says.textContent = 'No file.'
      return
    }
    const place = findBar(this.#rows, file.key)
    const others = place ? (this.#rows[place.row]?.bars[place.bar]?.files.length ?? 1) - 1 : 0
    this.#says.replaceChildren(
      h('strong', {}, describeFile(file)),
      others > 0
        ? ` · one of ${counted(others + 1, 'file')} that lie too close to be told apart: zoom in`
        : '',
      this.#axis === 'time' ? this.#unknownTimes() : '',
    )
  }

  /** A file that was copied is as old as its copy, until its header is read. */
  #unknownTimes(): string {
    const { files, headers } = this.#inspection
    const unread = files.filter(({ key }) => !headers.has(key)).length
    if (unread === 0) return ''
    return ` · the times of ${counted(unread, 'file')} are those of the store: see Proof to read their headers`
  }

  #choose(file: LTXFile): void {
    this.#inspection.select(file)
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = this.#actionOf(event)
    if (!act) return
    event.preventDefault()
    act()
  }

  #actionOf({ key, shiftKey }: KeyboardEvent): (() => void) | undefined {
    switch (key) {
      case 'ArrowLeft':
        return shiftKey ? () => this.#show(pan(this.#scale.whole, this.#view, -0.25)) : () => this.#step(-1)
      case 'ArrowRight':
        return shiftKey ? () => this.#show(pan(this.#scale.whole, this.#view, 0.25)) : () => this.#step(1)
      case 'ArrowUp':
        return () => this.#changeRow(-1)
      case 'ArrowDown':
        return () => this.#changeRow(1)
      case 'Home':
        return () => this.#end(0)
      case 'End':
        return () => this.#end(-1)
      case '+':
      case '=':
        return () => this.#zoom(2)
      case '-':
        return () => this.#zoom(0.5)
      case '0':
        return () => this.#show(this.#scale.whole)
      default:
        return undefined
    }
  }

  /** To a neighbour in the same level. */
  #step(by: 1 | -1): void {
    const level = this.#levelOfChosen()
    const at = level.findIndex(({ key }) => key === this.#inspection.selected?.key)
    const next = level[at + by]
    if (next) this.#reveal(next)
  }

  #end(index: 0 | -1): void {
    const next = this.#levelOfChosen().at(index)
    if (next) this.#reveal(next)
  }

  #changeRow(by: 1 | -1): void {
    const place = findBar(this.#rows, this.#inspection.selected?.key)
    const next = place && nearestBar(this.#rows, place, by)
    const file = next && this.#rows[next.row]?.bars[next.bar]?.files.at(-1)
    if (file) this.#choose(file)
  }

  #levelOfChosen(): readonly LTXFile[] {
    const { selected, catalog } = this.#inspection
    return (selected && catalog.levels.get(selected.level)) ?? []
  }

  /** Chooses a file and moves there if it is out of view. */
  #reveal(file: LTXFile): void {
    const { to } = this.#scale.spanOf(file)
    const { from, to: end } = this.#view
    if (to < from || to > end) {
      const half = (end - from) / 2
      this.#view = clampSpan(this.#scale.whole, { from: to - half, to: to + half })
    }
    this.#choose(file)
  }

  #wheel(event: WheelEvent): void {
    // Without a modifier the wheel scrolls the page, as everywhere.
    if (!event.ctrlKey && !event.shiftKey) return
    event.preventDefault()
    const { whole } = this.#scale
    if (event.ctrlKey) {
      const box = this.#plot.getBoundingClientRect()
      const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)
      const at = this.#view.from + share * (this.#view.to - this.#view.from)
      this.#show(zoom(whole, this.#view, event.deltaY < 0 ? 1.25 : 0.8, at))
    } else {
      this.#show(pan(whole, this.#view, (event.deltaX + event.deltaY) / 1000))
    }
  }

  #zoom(factor: number): void {
    const file = this.#inspection.selected
    const middle = (this.#view.from + this.#view.to) / 2
    const at = file ? this.#scale.spanOf(file).to : middle
    const inView = at >= this.#view.from && at <= this.#view.to
    this.#show(zoom(this.#scale.whole, this.#view, factor, inView ? at : middle))
  }

  #zoomTo(files: readonly LTXFile[]): void {
    const spans = files.map((file) => this.#scale.spanOf(file))
    const from = Math.min(...spans.map((span) => span.from))
    const to = Math.max(...spans.map((span) => span.to))
    const margin = Math.max((to - from) * 0.1, 1)
    this.#show(clampSpan(this.#scale.whole, { from: from - margin, to: to + margin }))
  }

  #show(view: Span): void {
    this.#view = view
    this.update()
  }

  #axisButton(axis: Axis, text: string): HTMLElement {
    const choose = (): void => {
      this.#axis = axis
      const files = this.#inspection.timed()
      this.#scale = axis === 'txid' ? txidScale(files) : timeScale(files)
      this.#show(this.#scale.whole)
    }
    return h('button', { type: 'button', 'data-axis': axis, onclick: choose }, text)
  }
}

function isSame(a: Span, b: Span): boolean {
  return a.from === b.from && a.to === b.to
}
