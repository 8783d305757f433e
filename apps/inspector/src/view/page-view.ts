import { type PageIndexEntry, readPage } from '@sqlstream/ltx'
import type { LTXFile } from '@sqlstream/replica'
import type { Inspection } from '../inspection.ts'
import { type DatabasePage, describePage, type Region } from '../model/database-page.ts'
import { hexRows } from '../model/hex-rows.ts'
import { fact, h } from './element.ts'
import { explain } from './explain.ts'

const LEGEND: Readonly<Record<Region['kind'], string>> = {
  database: 'header of the database',
  header: 'header of the page',
  pointers: 'pointers to cells',
  free: 'free',
  cells: 'cells',
  next: 'next page',
}

/** One page of a file: what it is, and its bytes. */
export class PageView {
  readonly element: HTMLElement = h('section', { class: 'page-view', 'aria-label': 'Page' })
  readonly #inspection: Inspection
  /** What was asked for last: an answer for something else comes too late. */
  #asked = ''

  constructor(inspection: Inspection) {
    this.#inspection = inspection
  }

  clear(): void {
    this.#asked = ''
    this.element.replaceChildren()
  }

  async show(file: LTXFile, entry: PageIndexEntry): Promise<void> {
    const asked = `${file.key} ${entry.pgno}`
    this.#asked = asked
    try {
      const header = await this.#inspection.replica.header(file, this.#inspection)
      const source = this.#inspection.replica.randomAccess(file)
      const { data } = await readPage(source, entry, header.pageSize, this.#inspection)
      if (this.#asked === asked) this.element.replaceChildren(...draw(entry, data))
    } catch (error) {
      if (this.#asked === asked) this.element.replaceChildren(explain(error))
    }
  }
}

function draw(entry: PageIndexEntry, data: Uint8Array): Node[] {
  const page = describePage(data, entry.pgno)
  const kinds = [...new Set(page.regions.map(({ kind }) => kind))]
  return [
    h('h3', {}, `Page ${entry.pgno}`),
    h('p', { class: 'lead' }, page.title),
    h(
      'dl',
      { class: 'facts' },
      fact(
        'In the file',
        `${entry.size.toLocaleString('en')} bytes at ${entry.offset.toLocaleString('en')}`,
        `for ${data.length.toLocaleString('en')} bytes of page`,
      ),
      page.fill !== undefined &&
        fact('Full', `${Math.round(page.fill * 100)} %`, 'without free blocks inside'),
    ),
    ...fieldsOf(page),
    h('p', { class: 'legend' }, ...kinds.map((kind) => h('span', { class: `key ${kind}` }, LEGEND[kind]))),
    hexOf(data, page),
  ]
}

function fieldsOf({ fields }: DatabasePage): Node[] {
  if (fields.length === 0) return []
  return [
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Fields of the page' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h('tr', {}, h('th', {}, 'At'), h('th', {}, 'Field'), h('th', {}, 'Value'), h('th', {}, 'Meaning')),
        ),
        h(
          'tbody',
          {},
          ...fields.map(({ offset, name, value, meaning }) =>
            h(
              'tr',
              {},
              h('td', { class: 'number' }, String(offset)),
              h('td', { class: 'name' }, name),
              h('td', { class: 'mono' }, value),
              h('td', { class: 'muted' }, meaning ?? ''),
            ),
          ),
        ),
      ),
    ),
  ]
}

function hexOf(data: Uint8Array, page: DatabasePage): HTMLElement {
  const lines = hexRows(data, page.regions).map(({ offset, parts, text, repeats }) =>
    h(
      'span',
      { class: 'row' },
      h('span', { class: 'at' }, offset.toString(16).padStart(5, '0')),
      repeats > 1
        ? h('span', { class: 'muted' }, `  zeros, ${(repeats * 16).toLocaleString('en')} bytes`)
        : h(
            'span',
            { class: 'digits' },
            ...parts.flatMap(({ kind, hex }, i) => [i > 0 && ' ', h('span', { class: kind ?? '' }, hex)]),
          ),
      repeats === 1 && h('span', { class: 'text' }, text),
      '\n',
    ),
  )
  return h('pre', { class: 'hex', tabindex: 0, role: 'region', 'aria-label': 'Bytes of the page' }, ...lines)
}
