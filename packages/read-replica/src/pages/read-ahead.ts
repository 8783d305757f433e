import type { View } from '../view/view.ts'

/** How far to read ahead. */
export interface ReadAheadOptions {
  /** Pages that the first request of a run of pages may bring. Default 8. */
  readonly startPages?: number | undefined
  /** Most pages that are asked for ahead. Default 1024. */
  readonly maxPages?: number | undefined
  /** Bytes between two wanted pages that are read over rather than left out by a second request. Default 65536. */
  readonly gapBytes?: number | undefined
}

/** Pages from `first` to before `end`. */
export interface Window {
  /** The page that somebody waits for; the first one where nobody does. */
  readonly needed: number
  readonly first: number
  readonly end: number
  /** Nothing is known yet of how the pages are read: only what costs no request more is asked for. */
  readonly isGuess: boolean
}

/** A page that is asked for: where its frame lies in the file of the request. */
export interface WantedPage {
  readonly pgno: number
  readonly offset: number
  readonly size: number
}

/** One ranged read of one file. */
export interface RangeRequest {
  readonly file: number
  readonly offset: number
  readonly length: number
  /** By ascending offset. */
  readonly pages: readonly WantedPage[]
}

/** No request is longer. */
export const REQUEST_BYTES: number = 2 * 1024 * 1024

/** So many runs of pages are followed at a time: a statement seldom goes through more trees at once. */
const MOST_RUNS = 4
/** A page that lies so little behind a run continues it. */
const NEAR = 8
/** Pages that lie so far from a run at most are likely to be read too, in whatever order: a tree that has grown has its pages so. */
const SAME_PLACE = 128
/** Of such a place, so many pages before and behind the one that is needed come with it. */
const AROUND = 32

interface Run {
  first: number
  end: number
  size: number
}

/**
 * Recognises pages that are read one after the other, and says which to fetch next. A run begins with a few pages; each time it goes on, twice as many
 * are fetched. Pure.
 */
export class ReadAhead {
  readonly #startPages: number
  readonly #maxPages: number
  /** The one that was used last comes first. */
  readonly #runs: Run[] = []

  constructor(options: ReadAheadOptions = {}) {
    this.#startPages = Math.max(1, options.startPages ?? 8)
    this.#maxPages = Math.max(this.#startPages, options.maxPages ?? 1024)
  }

  /** What to fetch for a page that is not at hand. `most` is the number of pages that there is room for. */
  miss(pgno: number, most: number): Window {
    const at = this.#runs.findIndex(({ first, end }) => pgno >= first && pgno < end + NEAR)
    const run = at < 0 ? undefined : this.#use(at)
    if (!run) return this.#begin(pgno, most)
    // Inside of what was fetched: dropped again, or it could not be asked for. That is no reason for more.
    if (pgno < run.end) return { needed: pgno, first: pgno, end: run.end, isGuess: false }
    run.size = Math.min(run.size * 2, this.#maxPages, most)
    run.first = pgno
    run.end = pgno + run.size
    return { needed: pgno, first: pgno, end: run.end, isGuess: false }
  }

  /** What to fetch in advance, now that a page was read that was at hand: the pages behind a run whose middle is passed. */
  hit(pgno: number, most: number): Window | undefined {
    // Asked for every page that is read.
    let at = 0
    for (; at < this.#runs.length; at++) {
      const { first, end, size } = this.#runs[at] as Run
      if (size > this.#startPages && pgno >= first && pgno < end && pgno >= end - (size >>> 1)) break
    }
    if (at === this.#runs.length) return undefined
    const run = this.#use(at)
    const first = run.end
    run.size = Math.min(run.size * 2, this.#maxPages, most)
    run.first = pgno
    run.end = first + run.size
    return { needed: first, first, end: run.end, isGuess: false }
  }

  #begin(pgno: number, most: number): Window {
    const isKnownPlace = this.#runs.some(
      ({ first, end }) => pgno >= first - SAME_PLACE && pgno < end + SAME_PLACE,
    )
    const size = Math.min(this.#startPages, most)
    this.#runs.unshift({ first: pgno, end: pgno + size, size })
    this.#runs.splice(MOST_RUNS)
    const around = Math.min(AROUND, most >>> 1, this.#startPages * 4)
    if (!isKnownPlace) return { needed: pgno, first: pgno, end: pgno + size, isGuess: true }
    return { needed: pgno, first: Math.max(1, pgno - around), end: pgno + Math.max(1, around), isGuess: true }
  }

  #use(at: number): Run {
    const [run] = this.#runs.splice(at, 1)
    this.#runs.unshift(run as Run)
    return run as Run
  }
}

/** Options of `planRequests`. */
export interface PlanRequestsOptions {
  /** Is it here, or on its way? */
  readonly isAtHand: (file: number, offset: number) => boolean
  readonly gapBytes: number
}

/**
 * The requests that bring those pages of a window that are not at hand, each of one file. The one with the page that is needed comes first; for a guess it is the
 * only one. Pure.
 */
export function planRequests(view: View, window: Window, options: PlanRequestsOptions): RangeRequest[] {
  const { isAtHand, gapBytes } = options
  const needed = view.find(window.needed)?.file
  const byFile = new Map<number, WantedPage[]>()
  const end = Math.min(window.end, view.commit + 1)
  for (let pgno = window.first; pgno < end; pgno++) {
    const place = view.find(pgno)
    if (!place || (window.isGuess && place.file !== needed) || isAtHand(place.file, place.offset)) continue
    const page = { pgno, offset: place.offset, size: place.size }
    const pages = byFile.get(place.file)
    if (pages) pages.push(page)
    else byFile.set(place.file, [page])
  }
  const requests: RangeRequest[] = []
  for (const [file, pages] of byFile) {
    // A file has its pages in their order, so offsets rise with the numbers.
    let from = 0
    for (let i = 1; i <= pages.length; i++) {
      const start = (pages[from] as WantedPage).offset
      const last = pages[i - 1] as WantedPage
      const next = pages[i]
      const reach = last.offset + last.size
      if (next && next.offset - reach <= gapBytes && next.offset + next.size - start <= REQUEST_BYTES)
        continue
      requests.push({ file, offset: start, length: reach - start, pages: pages.slice(from, i) })
      from = i
    }
  }
  const at = requests.findIndex(({ pages }) => pages.some(({ pgno }) => pgno === window.needed))
  if (window.isGuess) return at < 0 ? [] : [requests[at] as RangeRequest]
  if (at > 0) requests.unshift(...requests.splice(at, 1))
  return requests
}
