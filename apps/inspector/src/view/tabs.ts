import { h } from './element.ts'

/** One of several panels. */
export interface Tab {
  readonly id: string
  readonly title: string
  readonly panel: HTMLElement
}

/** Panels of which one is shown. Arrows move between their titles. */
export class Tabs {
  readonly element: HTMLElement
  readonly #tabs: readonly Tab[]
  readonly #buttons: HTMLButtonElement[]
  readonly #panels: HTMLElement[]
  readonly #onShow: (id: string) => void
  #shown: string

  constructor(tabs: readonly Tab[], onShow: (id: string) => void) {
    this.#tabs = tabs
    this.#onShow = onShow
    this.#shown = tabs[0]?.id ?? ''
    this.#buttons = tabs.map(({ id, title }) =>
      h(
        'button',
        {
          type: 'button',
          role: 'tab',
          id: `tab-${id}`,
          'aria-controls': `panel-${id}`,
          onclick: () => this.show(id),
        },
        title,
      ),
    )
    this.#panels = tabs.map(({ id, panel }) =>
      h(
        'div',
        { role: 'tabpanel', id: `panel-${id}`, 'aria-labelledby': `tab-${id}`, class: 'panel' },
        panel,
      ),
    )
    const list = h(
      'div',
      { role: 'tablist', class: 'tabs', onkeydown: (event: KeyboardEvent) => this.#key(event) },
      ...this.#buttons,
    )
    this.element = h('div', {}, list, ...this.#panels)
    this.#mark()
  }

  get shown(): string {
    return this.#shown
  }

  show(id: string): void {
    this.#shown = id
    this.#mark()
    this.#onShow(id)
  }

  #mark(): void {
    for (const [i, { id }] of this.#tabs.entries()) {
      const isShown = id === this.#shown
      this.#buttons[i]?.setAttribute('aria-selected', String(isShown))
      this.#buttons[i]?.setAttribute('tabindex', isShown ? '0' : '-1')
      if (this.#panels[i]) this.#panels[i].hidden = !isShown
    }
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const at = this.#tabs.findIndex(({ id }) => id === this.#shown)
    const next = (at + step + this.#tabs.length) % this.#tabs.length
    this.show(this.#tabs[next]?.id ?? '')
    this.#buttons[next]?.focus()
  }
}
