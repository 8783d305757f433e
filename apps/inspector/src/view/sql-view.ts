import type { TXID } from '@sqlstream/ltx'
import type { Inspection } from '../inspection.ts'
import { cellText, isNumber, quotedName } from '../model/sql-value.ts'
import { counted, formatTime } from '../model/units.ts'
import { type Answer, SqlSession } from '../sql-session.ts'
import { h } from './element.ts'
import { explain } from './explain.ts'

const TABLES = `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name`

/** SQL at any state that can be restored: a slider goes through them. */
export class SqlView {
  readonly element: HTMLElement
  readonly #inspection: Inspection
  readonly #session: SqlSession
  readonly #slider: HTMLInputElement
  readonly #state = h('output', { for: 'sql-state', class: 'state' })
  readonly #text: HTMLTextAreaElement
  readonly #run = h('button', { type: 'submit', class: 'main' }, 'Run')
  readonly #tables = h('div', { class: 'chips', role: 'group', 'aria-label': 'Tables' })
  readonly #answer = h('div', { class: 'answer', role: 'status' })
  #asking: AbortController | undefined
  #isFresh = true

  constructor(inspection: Inspection) {
    this.#inspection = inspection
    this.#session = new SqlSession(inspection)
    const { restorable } = inspection.status
    this.#slider = h('input', {
      type: 'range',
      id: 'sql-state',
      min: 0,
      max: Math.max(0, restorable.length - 1),
      step: 1,
      value: Math.max(0, restorable.length - 1),
      oninput: () => this.#drawState(),
      onchange: () => void this.#ask(),
    })
    this.#text = h('textarea', {
      id: 'sql-text',
      rows: 4,
      spellcheck: 'false',
      autocapitalize: 'off',
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void this.#ask()
      },
    })
    this.#text.value = 'SELECT type, name, tbl_name, rootpage FROM sqlite_schema'
    const form = h(
      'form',
      {
        onsubmit: (event: SubmitEvent) => {
          event.preventDefault()
          if (this.#asking) this.#asking.abort()
          else void this.#ask()
        },
      },
      h('label', { for: 'sql-text' }, 'SQL'),
      this.#text,
      h(
        'div',
        { class: 'inline' },
        this.#run,
        h('span', { class: 'muted' }, 'Ctrl+Enter. Only the pages that it needs are read.'),
      ),
    )
    this.element = h(
      'section',
      { class: 'sql', 'aria-label': 'SQL' },
      h('div', { class: 'slider' }, h('label', { for: 'sql-state' }, 'State'), this.#slider, this.#state),
      this.#tables,
      form,
      this.#answer,
    )
  }

  update(): void {
    this.#drawState()
    if (!this.#isFresh) return
    this.#isFresh = false
    void this.#ask()
  }

  #txid(): TXID | undefined {
    return this.#inspection.status.restorable[this.#slider.valueAsNumber]
  }

  #drawState(): void {
    const txid = this.#txid()
    if (txid === undefined) {
      this.#state.textContent = 'No state can be restored.'
      return
    }
    const time = this.#inspection.timeOf(txid)
    const isLast = this.#slider.value === this.#slider.max
    const text = `TXID ${txid}${time === undefined ? '' : `, ${formatTime(time)} UTC`}${isLast ? ', the newest' : ''}`
    this.#state.textContent = text
    this.#slider.setAttribute('aria-valuetext', text)
  }

  async #ask(): Promise<void> {
    const txid = this.#txid()
    const sql = this.#text.value.trim()
    if (txid === undefined || sql === '') return
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    this.#run.textContent = 'Stop'
    try {
      const tables = await this.#session.ask(TABLES, txid, asking.signal)
      const answer = await this.#session.ask(sql, txid, asking.signal)
      if (this.#asking !== asking) return
      this.#drawTables(tables)
      this.#answer.replaceChildren(...drawAnswer(answer, txid))
    } catch (error) {
      if (this.#asking !== asking) return
      this.#answer.replaceChildren(
        asking.signal.aborted ? h('p', { class: 'notice' }, 'Stopped.') : explain(error),
      )
    } finally {
      if (this.#asking === asking) {
        this.#asking = undefined
        this.#run.textContent = 'Run'
      }
    }
  }

  #drawTables({ rows }: Answer): void {
    const choose = (name: string) => () => {
      this.#text.value = `SELECT * FROM ${quotedName(name)} LIMIT 100`
      void this.#ask()
    }
    this.#tables.replaceChildren(
      ...rows.map(({ name }) =>
        h('button', { type: 'button', class: 'chip', onclick: choose(String(name)) }, String(name)),
      ),
    )
  }
}

function drawAnswer({ rows, isCut, ms, requests }: Answer, txid: TXID): Node[] {
  const columns = Object.keys(rows[0] ?? {})
  const count = isCut ? `the first ${rows.length.toLocaleString('en')} rows` : counted(rows.length, 'row')
  const note = h(
    'p',
    { class: 'muted' },
    `At TXID ${txid}: ${count}, ${Math.round(ms)} ms, ${counted(requests, 'request')}`,
  )
  if (rows.length === 0) return [note]
  const table = h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...columns.map((column) =>
          h('th', { scope: 'col', class: isNumber(rows[0]?.[column] ?? null) ? 'number' : '' }, column),
        ),
      ),
    ),
    h(
      'tbody',
      {},
      ...rows.map((row) =>
        h(
          'tr',
          {},
          ...columns.map((column) => {
            const value = row[column] ?? null
            return h(
              'td',
              { class: value === null ? 'muted' : isNumber(value) ? 'number' : '' },
              cellText(value),
            )
          }),
        ),
      ),
    ),
  )
  return [note, h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows' }, table)]
}
