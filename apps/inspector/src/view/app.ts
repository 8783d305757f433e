import { findPublicReplica, HttpStore } from '@sqlstream/read-replica/web'
import { Inspection, type Source } from '../inspection.ts'
import { newestFiles } from '../model/newest-files.ts'
import { filesOfDrop, openDropped, type PathFile } from '../source/dropped.ts'
import { inspectServer, readOffer } from '../source/inspect-server.ts'
import { h } from './element.ts'
import { entrance } from './entrance.ts'
import { explain } from './explain.ts'
import { Workbench } from './workbench.ts'

/** Headers that are read without being asked for: a small request each. */
const MOST_HEADERS = 1000

/** The page: what is open, or how to open something. Files can be dropped anywhere, at any time. */
export class App {
  readonly element: HTMLElement
  readonly #main: HTMLElement
  /** Where `sqlstream inspect` offers a replica. */
  readonly #offer: URL | undefined
  #open: Inspection | undefined
  /** What was asked for last: what comes later for something else is let go. */
  #asked = 0

  constructor() {
    const place = document.querySelector<HTMLMetaElement>('meta[name=sqlstream-replica]')?.content
    this.#offer = place ? new URL(place, document.baseURI) : undefined
    this.#main = h('main', { id: 'main' })
    this.element = h('div', { class: 'app' }, this.#main)
    this.#listenForDrops()
  }

  /** Opens what the server of the page offers, if it offers something. */
  start(): void {
    if (this.#offer) this.#openOffer(this.#offer)
    else this.#enter()
  }

  #enter(failure?: unknown): void {
    const offer = this.#offer
    this.#main.replaceChildren(
      failure === undefined ? '' : explain(failure),
      entrance({
        openFiles: (files) => this.#openFiles(files),
        openUrl: (url) => this.#openBucket(url),
        openOffer: offer && (() => this.#openOffer(offer)),
      }),
    )
  }

  #openOffer(base: URL): void {
    void this.#show(async () => {
      const { source, layout } = await readOffer(base)
      const place = inspectServer(base)
      return { name: source, layout, store: new HttpStore(place), urlOf: place.urlOf }
    })
  }

  #openBucket(address: string): void {
    void this.#show(async () => {
      const found = await findPublicReplica(address)
      const { origin, pathname } = new URL(address)
      return { name: origin + pathname, ...found }
    })
  }

  #openFiles(files: readonly PathFile[]): void {
    void this.#show(() => openDropped(files))
  }

  async #show(open: () => Promise<Source>): Promise<void> {
    const asked = ++this.#asked
    this.#main.replaceChildren(h('p', { class: 'notice', role: 'status' }, 'Looking at what is there …'))
    try {
      await this.#open?.close()
      this.#open = undefined
      const inspection = await Inspection.open(await open())
      if (asked !== this.#asked) return await inspection.close()
      this.#open = inspection
      const workbench = new Workbench(inspection, {
        reload: () => void this.#show(open),
        close: () => void this.#close(),
      })
      this.#main.replaceChildren(workbench.element)
      await inspection.readHeaders(newestFiles(inspection.files, MOST_HEADERS))
    } catch (error) {
      if (asked === this.#asked) this.#enter(error)
    }
  }

  async #close(): Promise<void> {
    this.#asked++
    await this.#open?.close()
    this.#open = undefined
    this.#enter()
  }

  #listenForDrops(): void {
    addEventListener('dragover', (event) => {
      event.preventDefault()
      this.element.classList.add('dropping')
    })
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) this.element.classList.remove('dropping')
    })
    addEventListener('drop', (event) => {
      event.preventDefault()
      this.element.classList.remove('dropping')
      if (!event.dataTransfer) return
      const files = filesOfDrop(event.dataTransfer)
      void this.#show(async () => await openDropped(await files))
    })
  }
}
