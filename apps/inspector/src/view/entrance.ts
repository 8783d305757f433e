import { filesOfInput, type PathFile } from '../source/dropped.ts'
import { h } from './element.ts'

/** What somebody may open. */
export interface EntranceActions {
  openFiles(files: readonly PathFile[]): void
  openUrl(url: string): void
  /** The replica of the server, where there is one. */
  openOffer?: (() => void) | undefined
}

/** How to open a replica. */
export function entrance({ openFiles, openUrl, openOffer }: EntranceActions): HTMLElement {
  const choose = (attributes: Record<string, boolean | string>, text: string): HTMLElement => {
    const input = h('input', {
      type: 'file',
      class: 'hidden-input',
      ...attributes,
      onchange: () => openFiles(filesOfInput(input.files)),
    })
    return h('label', { class: 'button' }, text, input)
  }
  const url = h('input', {
    type: 'url',
    id: 'url',
    placeholder: 'https://bucket.example.com/app',
    required: true,
  })
  return h(
    'div',
    { class: 'entrance' },
    h('h1', {}, 'sqlstream inspector'),
    h(
      'p',
      { class: 'lead' },
      'Look into a backup: which files there are, what is in them, what they prove, and the data at any state.',
    ),
    h(
      'section',
      { class: 'drop', 'aria-label': 'Files' },
      h('p', {}, 'Drop the folder of a replica, LTX files, or a zip of them'),
      h(
        'div',
        { class: 'inline' },
        choose({ multiple: true, accept: '.ltx,.zip' }, 'Choose files'),
        choose({ webkitdirectory: true }, 'Choose a folder'),
      ),
      h('p', { class: 'muted' }, 'Nothing leaves this browser.'),
    ),
    openOffer
      ? h(
          'p',
          {},
          h('button', { type: 'button', onclick: openOffer }, 'Back to the replica of sqlstream inspect'),
        )
      : h(
          'form',
          {
            class: 'inline',
            onsubmit: (event: SubmitEvent) => {
              event.preventDefault()
              openUrl(url.value)
            },
          },
          h('label', { for: 'url' }, 'A public bucket'),
          url,
          h('button', { type: 'submit' }, 'Open'),
        ),
    h('p', { class: 'muted' }, 'Any other replica: ', h('code', {}, 'sqlstream inspect <url>')),
  )
}
