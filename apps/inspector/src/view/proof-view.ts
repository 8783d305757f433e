import type { Inspection } from '../inspection.ts'
import type { ChainStatus, Link } from '../model/chain-status.ts'
import { counted, formatBytes } from '../model/units.ts'
import { fact, h } from './element.ts'

/** What the verdict means. */
export const VERDICTS: Readonly<
  Record<ChainStatus['verdict'], { mark: string; word: string; text: string }>
> = {
  empty: { mark: '–', word: 'empty', text: 'There is no file.' },
  reading: {
    mark: '…',
    word: 'not all read',
    text: 'No transaction is missing, as far as names tell. What files prove is in their headers, of which not all were read.',
  },
  proven: {
    mark: '✓',
    word: 'proven chain',
    text: 'Every file says which database it was applied to and which it results in, and all of that fits together. No transaction is missing.',
  },
  unproven: {
    mark: '○',
    word: 'unproven',
    text: 'No transaction is missing, as far as names tell. Some files do not say which database they were applied to, as those of Litestream, or nothing before them says the same.',
  },
  trouble: { mark: '✕', word: 'trouble', text: 'Something is wrong with some of the files.' },
}

const LINK_NAMES: Readonly<Record<Link, string>> = {
  proven: 'proven',
  start: 'snapshots',
  loose: 'say what they were applied to, but no file ends there',
  unproven: 'unproven',
  broken: 'broken',
  unread: 'not read yet',
}

/** What can be restored, what is missing, and what was verified. */
export class ProofView {
  readonly element: HTMLElement = h('section', { class: 'proof', 'aria-label': 'Proof' })
  readonly #inspection: Inspection

  constructor(inspection: Inspection) {
    this.#inspection = inspection
  }

  update(): void {
    const { status, files } = this.#inspection
    const { mark, word, text } = VERDICTS[status.verdict]
    const first = status.restorable[0]
    const last = status.restorable[status.restorable.length - 1]
    this.element.replaceChildren(
      h('h3', {}, h('span', { class: `pill ${status.verdict}` }, `${mark} ${word}`)),
      h('p', {}, text),
      ...(status.troubles.length > 0
        ? [
            h(
              'ul',
              { class: 'troubles' },
              ...status.troubles
                .slice(0, 50)
                .map(({ kind, message, file }) =>
                  h(
                    'li',
                    {},
                    h('strong', {}, `${kind}: `),
                    message,
                    file &&
                      h(
                        'button',
                        { type: 'button', class: 'plain', onclick: () => this.#inspection.select(file) },
                        'Show the file',
                      ),
                  ),
                ),
            ),
          ]
        : []),
      h(
        'dl',
        { class: 'facts' },
        fact(
          'Restorable',
          first === undefined ? 'nothing' : counted(status.restorable.length, 'state'),
          first === undefined ? undefined : `transactions ${first} to ${last}`,
        ),
        fact('Missing', status.gaps.length === 0 ? 'no transaction' : counted(status.gaps.length, 'range')),
        fact('Files', counted(files.length, 'file'), linkCounts(status)),
        fact(
          'Read to the last byte',
          `${status.checked} of ${files.length}`,
          'file checksum, each page, page index',
        ),
      ),
      this.#headerButton(),
      this.#checkButton(),
    )
  }

  #headerButton(): Node {
    const { files, headers } = this.#inspection
    const left = files.filter(({ key }) => !headers.has(key))
    if (left.length === 0) return h('p', { class: 'muted' }, 'Every header was read.')
    const read = (): void => void this.#inspection.readHeaders(left)
    return h(
      'p',
      {},
      h('button', { type: 'button', onclick: read }, `Read ${counted(left.length, 'header')}`),
    )
  }

  #checkButton(): Node {
    const { files, checked } = this.#inspection
    const left = files.filter(({ key }) => !checked.has(key))
    if (left.length === 0) return h('p', { class: 'muted' }, 'Every file was read to its last byte.')
    const bytes = left.reduce((sum, { size }) => sum + size, 0)
    return h(
      'button',
      { type: 'button', onclick: () => void this.#inspection.check(left) },
      `Check every byte of ${counted(left.length, 'file')} (${formatBytes(bytes)})`,
    )
  }
}

function linkCounts({ links }: ChainStatus): string {
  const counts = new Map<Link, number>()
  for (const link of links.values()) counts.set(link, (counts.get(link) ?? 0) + 1)
  return Array.from(counts, ([link, count]) => `${count} ${LINK_NAMES[link]}`).join(', ')
}
