import type { Advance } from './advance.ts'
import { isFollowerError } from './errors.ts'
import type { LocalCopy } from './local-copy.ts'

const EVERY_MS = 500
const LIST_EVERY_MS = 30_000
/** So many listings of the newest files come to one of all files. */
const LISTS_PER_FULL = 10

/** How a copy looks for what is new. */
export interface PollOptions {
  /** Between two looks by one request, in ms. Default 500. */
  readonly everyMs?: number | undefined
  /** Between two listings of the newest files, in ms: they find what has another name than expected. Default 30,000. */
  readonly listEveryMs?: number | undefined
}

/** What searching works with. */
export interface SearchContext {
  readonly advance: Advance
  readonly copy: LocalCopy
  readonly poll: PollOptions
  readonly onDiverged: 'refuse' | 'rebase'
  /** Identity of the replica. */
  readonly databaseId: string | undefined
  /** The copy is of another database, and is to become one of this replica's. */
  readonly isForeign: boolean
}

/** Decides by which way the next look for something new goes, and goes it. */
export class Search {
  readonly everyMs: number
  readonly #c: SearchContext
  readonly #listEveryMs: number
  #isForeign: boolean
  #fullAt = Number.NEGATIVE_INFINITY
  #listAt = Number.NEGATIVE_INFINITY
  #spacing: number

  constructor(context: SearchContext) {
    const { everyMs = EVERY_MS, listEveryMs = LIST_EVERY_MS } = context.poll
    this.#c = context
    this.everyMs = everyMs
    this.#listEveryMs = listEveryMs
    this.#spacing = listEveryMs
    this.#isForeign = context.isForeign
  }

  /**
   * One look, by the cheapest way that is due. True when the copy has moved.
   * @param everything look everywhere, and last for what a listing may not show yet
   */
  async look(now: number, everything: boolean): Promise<boolean> {
    const { advance, copy, onDiverged, databaseId } = this.#c
    try {
      if (!this.#isForeign) return await this.#search(now, everything)
    } catch (error) {
      const isOther = isFollowerError(error, 'diverged') || isFollowerError(error, 'rewound')
      if (!isOther || onDiverged !== 'rebase') throw error
    }
    await advance.takeOver()
    if (this.#isForeign) copy.identify(databaseId)
    this.#isForeign = false
    return true
  }

  /** What is missing may have come, or be somewhere else: the next look is everywhere. */
  widen(): void {
    this.#fullAt = Number.NEGATIVE_INFINITY
  }

  async #search(now: number, everything: boolean): Promise<boolean> {
    const { advance } = this.#c
    if (everything || now >= this.#fullAt) {
      const moved = (await advance.listAll()) || (everything && (await advance.probe()))
      this.#fullAt = now + this.#listEveryMs * LISTS_PER_FULL
      this.#listAt = now + this.#spacing
      return moved
    }
    if (await advance.probe()) return true
    if (now < this.#listAt) return false
    const moved = await advance.listCaptures()
    // A writer whose files have other names than expected will have more of them.
    this.#spacing = moved ? this.everyMs : Math.min(this.#spacing * 2, this.#listEveryMs)
    this.#listAt = now + this.#spacing
    return moved
  }
}
