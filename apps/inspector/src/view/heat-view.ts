import type { LTXFile } from '@sqlstream/replica'
import type { Inspection } from '../inspection.ts'
import { countPages } from '../model/page-heat.ts'
import { levelName } from '../model/timeline-layout.ts'
import { counted } from '../model/units.ts'
import { h } from './element.ts'
import { PageMap, SHADES } from './page-map.ts'

/** Indexes that are read without being asked for: a request or two each. */
const MOST_UNASKED = 300

/** How often pages changed, over the files of a level. */
export class HeatView {
  readonly element: HTMLElement
  readonly #inspection: Inspection
  readonly #level: HTMLSelectElement
  readonly #note = h('p', { class: 'muted', role: 'status' })
  readonly #hottest = h('div', {})
  readonly #map: PageMap
  readonly #onPick: (file: LTXFile, pgno: number) => void
  #isWanted = false
  #isReading = false

  constructor(inspection: Inspection, onPick: (file: LTXFile, pgno: number) => void) {
    this.#inspection = inspection
    this.#onPick = onPick
    const levels = [...inspection.catalog.levels.keys()]
    this.#level = h(
      'select',
      { id: 'heat-level', onchange: () => this.#choose() },
      ...levels.map((level) =>
        h('option', { value: level, selected: level === defaultLevel(levels) }, levelName(level)),
      ),
    )
    this.#map = new PageMap({
      label: 'Pages of the database, darker the more files have them.',
      height: 320,
      say: (count) => (count === 0 ? 'never changed' : `in ${counted(count, 'file')}`),
      onPick: (pgno) => this.#pick(pgno),
    })
    const scale = Array.from({ length: SHADES }, (_, i) => h('span', { class: `shade shade-${i + 1}` }))
    this.element = h(
      'section',
      { 'aria-label': 'Changes' },
      h(
        'div',
        { class: 'inline' },
        h('label', { for: 'heat-level' }, 'Files of'),
        this.#level,
        h('span', { class: 'scale' }, 'one file ', ...scale, ' most'),
      ),
      this.#note,
      this.#map.element,
      this.#hottest,
    )
  }

  update(): void {
    const files = this.#files()
    const missing = files.filter(({ key }) => !this.#inspection.indexes.has(key))
    if (missing.length > 0 && (this.#isWanted || missing.length <= MOST_UNASKED)) {
      this.#note.textContent = `Reading where pages are: ${files.length - missing.length} of ${files.length} files`
      void this.#read(missing)
    } else if (missing.length > 0) {
      const read = (): void => {
        this.#isWanted = true
        this.update()
      }
      this.#note.replaceChildren(
        `${counted(missing.length, 'file')} to ask, with a request or two each. `,
        h('button', { type: 'button', onclick: read }, 'Read them'),
      )
    } else
      this.#note.textContent = `Over ${counted(files.length, 'file')}. Click a page to see it in the newest file that has it.`
    this.#draw(files)
  }

  async #read(files: readonly LTXFile[]): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    try {
      await this.#inspection.readIndexes(files)
    } finally {
      this.#isReading = false
    }
  }

  #choose(): void {
    this.#isWanted = false
    this.update()
  }

  #files(): readonly LTXFile[] {
    return this.#inspection.catalog.levels.get(Number(this.#level.value)) ?? []
  }

  #draw(files: readonly LTXFile[]): void {
    const lists = files.flatMap(({ key }) => {
      const index = this.#inspection.indexes.get(key)
      return index && 'value' in index ? [index.value.pgnos] : []
    })
    const size = this.#inspection.pageCount
    const counts = countPages(lists, size)
    this.#map.show(counts)
    const hot = [...counts.entries()].filter(([, count]) => count > 0)
    hot.sort(([, a], [, b]) => b - a)
    const top = hot.slice(0, 10)
    const most = top[0]?.[1] ?? 1
    this.#hottest.replaceChildren(
      h('h3', {}, 'Hottest pages'),
      h(
        'ol',
        { class: 'bars' },
        ...top.map(([at, count]) => {
          const bar = h('span', { class: 'amount' })
          bar.style.width = `${(100 * count) / most}%`
          return h(
            'li',
            {},
            h(
              'button',
              { type: 'button', class: 'plain', onclick: () => this.#pick(at + 1) },
              `Page ${at + 1}`,
            ),
            h('span', { class: 'track' }, bar),
            h('span', { class: 'number' }, counted(count, 'file')),
          )
        }),
      ),
    )
  }

  #pick(pgno: number): void {
    const file = this.#files().findLast(({ key }) => {
      const index = this.#inspection.indexes.get(key)
      return index && 'value' in index && index.value.find(pgno) !== undefined
    })
    if (file) this.#onPick(file, pgno)
  }
}

/** Captures, where there are some; else the finest merges. */
function defaultLevel(levels: readonly number[]): number | undefined {
  return [...levels].sort((a, b) => a - b)[0]
}
