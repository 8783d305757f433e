import type { Inspection } from '../inspection.ts'
import { counted, formatBytes, formatTime } from '../model/units.ts'
import { download } from './download.ts'
import { h } from './element.ts'
import { FileView } from './file-view.ts'
import { HeatView } from './heat-view.ts'
import { ProofView, VERDICTS } from './proof-view.ts'
import { SqlView } from './sql-view.ts'
import { Tabs } from './tabs.ts'
import { Timeline } from './timeline.ts'

/** What the page around offers. */
export interface WorkbenchActions {
  /** Lists again. */
  reload(): void
  /** Lets go of this replica. */
  close(): void
}

/** Everything about one replica. */
export class Workbench {
  readonly element: HTMLElement
  readonly #inspection: Inspection
  readonly #facts = h('p', { class: 'muted' })
  readonly #zip: HTMLButtonElement
  readonly #tabs: Tabs
  readonly #views: Readonly<Record<string, { update(): void }>>
  readonly #timeline: Timeline

  constructor(inspection: Inspection, actions: WorkbenchActions) {
    this.#inspection = inspection
    this.#timeline = new Timeline(inspection)
    const file = new FileView(inspection)
    const heat = new HeatView(inspection, (each, pgno) => {
      inspection.select(each)
      this.#tabs.show('file')
      void file.openPage(pgno)
    })
    const proof = new ProofView(inspection)
    const sql = new SqlView(inspection)
    this.#views = { file, heat, proof, sql }
    this.#tabs = new Tabs(
      [
        { id: 'file', title: 'File', panel: file.element },
        { id: 'heat', title: 'Changes', panel: heat.element },
        { id: 'proof', title: 'Proof', panel: proof.element },
        { id: 'sql', title: 'SQL', panel: sql.element },
      ],
      () => this.#update(),
    )
    this.#zip = h('button', { type: 'button', onclick: () => void this.#download() }, 'Download as zip')
    this.element = h(
      'div',
      { class: 'workbench' },
      h(
        'header',
        { class: 'summary' },
        h('div', {}, h('h1', { class: 'wrap' }, inspection.source.name), this.#facts),
        h(
          'div',
          { class: 'actions' },
          h('button', { type: 'button', onclick: actions.reload }, 'Reload'),
          this.#zip,
          h('button', { type: 'button', onclick: actions.close }, 'Open another'),
        ),
      ),
      this.#timeline.element,
      this.#tabs.element,
    )
    inspection.onChange(() => this.#update())
    this.#update()
  }

  #update(): void {
    const { files, status, timeOf } = this.#inspection
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    const last = status.restorable.at(-1)
    const time = last === undefined ? undefined : timeOf.call(this.#inspection, last)
    const newest =
      last === undefined
        ? 'nothing to restore'
        : `newest state: TXID ${last}${time === undefined ? '' : `, ${formatTime(time)} UTC`}`
    const { mark, word } = VERDICTS[status.verdict]
    this.#facts.replaceChildren(
      h('span', { class: `pill ${status.verdict}` }, `${mark} ${word}`),
      ` ${counted(files.length, 'file')}, ${formatBytes(bytes)} · ${newest}`,
    )
    this.#timeline.update()
    this.#views[this.#tabs.shown]?.update()
  }

  async #download(): Promise<void> {
    const { files } = this.#inspection
    this.#zip.disabled = true
    try {
      await download(this.#inspection, (done) => {
        this.#zip.textContent = `${done} of ${files.length} files`
      })
      this.#zip.textContent = 'Download as zip'
    } catch (error) {
      this.#zip.textContent = `Failed: ${(error as Error).message}`
    } finally {
      this.#zip.disabled = false
    }
  }
}
