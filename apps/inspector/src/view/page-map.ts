import {
  type Grid,
  gridFor,
  type HeatMap,
  heatMap,
  mostCells,
  moveInGrid,
  shadeOf,
} from '../model/page-heat.ts'
import { counted } from '../model/units.ts'
import { h } from './element.ts'

/** Shades of the heat map, as the style sheet names them: --heat-1 to --heat-6. */
export const SHADES = 6

/** How a map of pages is used. */
export interface PageMapOptions {
  readonly label: string
  /** Pixels. */
  readonly height: number
  /** In words, what a count means: `in 3 files`. */
  say(count: number): string
  /** A page was chosen. */
  onPick(pgno: number): void
}

/** Every page of a database as a square, darker the more often it changed. Arrows move, Enter chooses. */
export class PageMap {
  readonly element: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #says: HTMLElement
  readonly #options: PageMapOptions
  #counts: Uint32Array = new Uint32Array(0)
  #heat: HeatMap = heatMap(this.#counts, 1)
  #grid: Grid = gridFor(0, 1, 1)
  #width = 0
  #at = 0
  #hasCursor = false

  constructor(options: PageMapOptions) {
    this.#options = options
    this.#canvas = h('canvas', {
      class: 'map',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'map of pages',
      'aria-label': `${options.label} Arrow keys move, Enter shows the page.`,
      onpointermove: (event: PointerEvent) => this.#point(event),
      onpointerleave: () => this.#leave(),
      onclick: (event: MouseEvent) => {
        this.#point(event)
        this.#pick()
      },
      onfocus: () => {
        this.#hasCursor = true
        this.#draw()
      },
      onblur: () => this.#leave(),
      onkeydown: (event: KeyboardEvent) => this.#key(event),
    })
    this.#says = h('p', { class: 'says', 'aria-live': 'polite' })
    this.element = h('div', { class: 'page-map' }, this.#canvas, this.#says)
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry?.contentRect.width ?? 0)
      this.#layout()
    }).observe(this.element)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw())
  }

  /** How often each page counts; page 1 is at 0. */
  show(counts: Uint32Array): void {
    this.#counts = counts
    this.#layout()
  }

  #layout(): void {
    if (this.#width === 0) return
    const { height } = this.#options
    this.#heat = heatMap(this.#counts, mostCells(this.#width, height))
    this.#grid = gridFor(this.#heat.most.length, this.#width, height)
    this.#at = Math.min(this.#at, Math.max(0, this.#heat.most.length - 1))
    this.#draw()
    this.#say()
  }

  #draw(): void {
    const { columns, rows, cell } = this.#grid
    const scale = devicePixelRatio
    const canvas = this.#canvas
    canvas.width = Math.max(1, columns * cell * scale)
    canvas.height = Math.max(1, rows * cell * scale)
    canvas.style.width = `${columns * cell}px`
    canvas.style.height = `${rows * cell}px`
    const context = canvas.getContext('2d')
    if (!context) return
    context.scale(scale, scale)
    const style = getComputedStyle(canvas)
    const colours = Array.from({ length: SHADES + 1 }, (_, i) => style.getPropertyValue(`--heat-${i}`))
    const gap = cell > 8 ? 2 : 1
    for (const [i, count] of this.#heat.most.entries()) {
      context.fillStyle = colours[shadeOf(count, this.#heat.max, SHADES)] ?? ''
      context.fillRect((i % columns) * cell, Math.floor(i / columns) * cell, cell - gap, cell - gap)
    }
    if (!this.#hasCursor || this.#heat.most.length === 0) return
    context.strokeStyle = style.getPropertyValue('--ink')
    context.lineWidth = 2
    const x = (this.#at % columns) * cell
    const y = Math.floor(this.#at / columns) * cell
    context.strokeRect(x + 1, y + 1, Math.max(2, cell - gap - 2), Math.max(2, cell - gap - 2))
  }

  #say(): void {
    const { most, touched, pagesPerCell } = this.#heat
    if (!this.#hasCursor || most.length === 0) {
      const changed = this.#counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0)
      const each = pagesPerCell > 1 ? `, ${pagesPerCell} in a square` : ''
      this.#says.textContent = `${counted(changed, 'page')} of ${this.#counts.length.toLocaleString('en')}${each}`
      return
    }
    const first = this.#at * pagesPerCell + 1
    const last = Math.min(first + pagesPerCell - 1, this.#counts.length)
    const count = most[this.#at] as number
    this.#says.textContent =
      first === last
        ? `Page ${first}: ${this.#options.say(count)}`
        : `Pages ${first} to ${last}: ${touched[this.#at]} changed, the hottest ${this.#options.say(count)}`
  }

  #point({ offsetX, offsetY }: MouseEvent): void {
    const { columns, cell } = this.#grid
    const at = Math.floor(offsetY / cell) * columns + Math.floor(offsetX / cell)
    if (at < 0 || at >= this.#heat.most.length) return
    this.#move(at)
  }

  #move(at: number): void {
    this.#at = at
    this.#hasCursor = true
    this.#draw()
    this.#say()
  }

  #leave(): void {
    if (document.activeElement === this.#canvas) return
    this.#hasCursor = false
    this.#draw()
    this.#say()
  }

  #key(event: KeyboardEvent): void {
    if (event.key === 'Enter' || event.key === ' ') this.#pick()
    else if (/^(Arrow|Home|End)/.test(event.key)) {
      this.#move(moveInGrid(this.#at, event.key, this.#grid, this.#heat.most.length))
    } else return
    event.preventDefault()
  }

  /** The first page of the square that some file has, else its first page. */
  #pick(): void {
    const first = this.#at * this.#heat.pagesPerCell
    const pages = this.#counts.subarray(first, first + this.#heat.pagesPerCell)
    const hit = pages.findIndex((count) => count > 0)
    if (pages.length > 0) this.#options.onPick(first + Math.max(0, hit) + 1)
  }
}
