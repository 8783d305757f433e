import { Inspection, type Source } from '../inspection.ts'
import { HttpStore } from '../source/http-store.ts'
import { inspectServer, readOffer } from '../source/inspect-server.ts'
import { h } from './element.ts'
import { explain } from './explain.ts'
import { Workbench } from './workbench.ts'

/** The page: what is open, or how to open something. */
export class App {
  readonly element: HTMLElement
  readonly #main: HTMLElement
  #open: Inspection | undefined

  constructor() {
    this.#main = h('main', { id: 'main' })
    this.element = h('div', { class: 'app' }, this.#main)
  }

  /** Opens what the server of the page offers, if it offers something. */
  start(): void {
    const place = document.querySelector<HTMLMetaElement>('meta[name=sqlstream-replica]')?.content
    if (place) void this.#show(() => openOffer(new URL(place, document.baseURI)))
  }

  async #show(open: () => Promise<Source>): Promise<void> {
    this.#main.replaceChildren(h('p', { class: 'notice', role: 'status' }, 'Looking at what is there …'))
    try {
      await this.#open?.close()
      this.#open = undefined
      const inspection = await Inspection.open(await open())
      this.#open = inspection
      const workbench = new Workbench(inspection)
      this.#main.replaceChildren(workbench.element)
      await inspection.readHeaders(inspection.files)
    } catch (error) {
      this.#main.replaceChildren(explain(error))
    }
  }
}

async function openOffer(base: URL): Promise<Source> {
  const { source, layout } = await readOffer(base)
  const place = inspectServer(base)
  return { name: source, layout, store: new HttpStore(place), urlOf: place.urlOf }
}
