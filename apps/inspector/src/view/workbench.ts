import type { Inspection } from '../inspection.ts'
import { counted, formatBytes } from '../model/units.ts'
import { h } from './element.ts'
import { Timeline } from './timeline.ts'

/** Everything about one replica. */
export class Workbench {
  readonly element: HTMLElement

  constructor(inspection: Inspection) {
    const timeline = new Timeline(inspection)
    const bytes = inspection.files.reduce((sum, { size }) => sum + size, 0)
    this.element = h(
      'div',
      { class: 'workbench' },
      h(
        'div',
        { class: 'summary' },
        h('h1', {}, inspection.source.name),
        h('p', {}, `${counted(inspection.files.length, 'file')}, ${formatBytes(bytes)}`),
      ),
      timeline.element,
    )
    inspection.onChange(() => timeline.update())
  }
}
