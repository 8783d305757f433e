import type { PageIndex } from '@sqlstream/ltx'
import type { LTXFile } from '@sqlstream/replica'
import type { Inspection } from '../inspection.ts'
import type { Link } from '../model/chain-status.ts'
import { kindOf } from '../model/file-words.ts'
import { headerFacts } from '../model/header-fields.ts'
import { countPages } from '../model/page-heat.ts'
import { counted, formatBytes } from '../model/units.ts'
import { fact, h } from './element.ts'
import { explain } from './explain.ts'
import { PageMap } from './page-map.ts'
import { PageView } from './page-view.ts'

const LINKS: Readonly<Record<Link, string>> = {
  unread: 'its header is being read',
  start: 'a snapshot: it needs no file before it',
  proven: 'proven: a file before it results in what it was applied to',
  loose: 'it says what it was applied to, but no file ends there',
  unproven: 'unproven: it does not say what it was applied to',
  broken: 'broken: see Proof',
}

/** One file: its header, which pages it has, and one of those. */
export class FileView {
  readonly element: HTMLElement
  readonly #inspection: Inspection
  readonly #facts = h('div', {})
  readonly #pages = h('div', {})
  readonly #map: PageMap
  readonly #page: PageView
  readonly #number: HTMLInputElement
  #shown = ''

  constructor(inspection: Inspection) {
    this.#inspection = inspection
    this.#page = new PageView(inspection)
    this.#map = new PageMap({
      label: 'Pages of the database; those in this file are filled.',
      height: 200,
      say: (count) => (count > 0 ? 'in this file' : 'not in this file'),
      onPick: (pgno) => void this.#openPage(pgno),
    })
    this.#number = h('input', { type: 'number', min: 1, id: 'page-number', inputmode: 'numeric' })
    const form = h(
      'form',
      {
        class: 'inline',
        onsubmit: (event: SubmitEvent) => {
          event.preventDefault()
          void this.#openPage(this.#number.valueAsNumber)
        },
      },
      h('label', { for: 'page-number' }, 'Page'),
      this.#number,
      h('button', { type: 'submit' }, 'Show'),
    )
    this.element = h(
      'div',
      { class: 'columns' },
      h('section', { 'aria-label': 'Header' }, this.#facts),
      h(
        'section',
        { 'aria-label': 'Pages' },
        h('h3', {}, 'Pages'),
        this.#map.element,
        form,
        this.#pages,
        this.#page.element,
      ),
    )
  }

  update(): void {
    const file = this.#inspection.selected
    if (!file) return
    if (file.key !== this.#shown) {
      this.#shown = file.key
      this.#page.clear()
      this.#pages.replaceChildren()
      void this.#inspection.readIndexes([file])
    }
    this.#drawFacts(file)
    this.#drawPages(file)
  }

  /** Shows a page of the selected file. */
  async openPage(pgno: number): Promise<void> {
    const file = this.#inspection.selected
    if (file) await this.#inspection.readIndexes([file])
    this.update()
    await this.#openPage(pgno)
  }

  #drawFacts(file: LTXFile): void {
    const { headers, checked, status } = this.#inspection
    const header = headers.get(file.key)
    const whole = checked.get(file.key)
    const link = status.links.get(file.key) ?? 'unread'
    const check = h(
      'button',
      { type: 'button', onclick: () => void this.#inspection.check([file]) },
      'Check every byte',
    )
    this.#facts.replaceChildren(
      h('h3', {}, kindOf(file)),
      h('p', { class: 'lead mono wrap' }, file.key),
      header && 'error' in header ? explain(header.error) : '',
      h(
        'dl',
        { class: 'facts' },
        fact('Size', formatBytes(file.size), `${file.size.toLocaleString('en')} bytes`),
        ...(header && 'value' in header
          ? headerFacts(header.value).map(({ name, value, meaning }) => fact(name, value, meaning))
          : []),
        fact('Chain', h('span', { class: `link ${link}` }, link), LINKS[link]),
        fact(
          'Checksum of the file',
          whole ? ('error' in whole ? whole.error.message : 'right') : check,
          whole && 'value' in whole ? 'every byte was read, every page decoded' : undefined,
        ),
      ),
    )
  }

  #drawPages(file: LTXFile): void {
    const index = this.#inspection.indexes.get(file.key)
    if (!index) return
    if ('error' in index) {
      this.#pages.replaceChildren(explain(index.error))
      return
    }
    const { value } = index
    const header = this.#inspection.headers.get(file.key)
    const last = value.pgnos[value.count - 1] ?? 0
    const commit = header && 'value' in header ? header.value.commit : last
    this.#number.max = String(commit)
    this.#map.show(countPages([value.pgnos], Math.max(commit, last)))
    this.#pages.replaceChildren(h('p', { class: 'muted' }, largest(value)))
  }

  async #openPage(pgno: number): Promise<void> {
    const file = this.#inspection.selected
    const index = file && this.#inspection.indexes.get(file.key)
    if (!file || !index || 'error' in index || !Number.isInteger(pgno)) return
    this.#number.value = String(pgno)
    const entry = index.value.find(pgno)
    if (entry) await this.#page.show(file, entry)
    else {
      this.#page.clear()
      this.#page.element.replaceChildren(
        h('p', { class: 'notice' }, `Page ${pgno} is not in this file: it did not change.`),
      )
    }
  }
}

function largest(index: PageIndex): string {
  let most = 0
  let sum = 0
  for (let i = 0; i < index.count; i++) {
    const size = index.sizes[i] as number
    sum += size
    if (size > (index.sizes[most] as number)) most = i
  }
  if (index.count === 0) return 'No page.'
  return `${counted(index.count, 'page')} in ${formatBytes(sum)}; the largest is page ${index.pgnos[most]}, ${formatBytes(index.sizes[most] as number)}.`
}
