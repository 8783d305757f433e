import { isLTXError, type PageSize } from '@sqlstream/ltx'
import type { FramePlace } from '../view/layer.ts'
import type { View } from '../view/view.ts'
import { FrameDecoder } from './frame-decoder.ts'
import type { PageCache } from './page-cache.ts'
import { DamagedFile, FileGone, type RangeSource, type Ticket } from './page-source.ts'
import { planRequests, type RangeRequest, type ReadAhead, type Window } from './read-ahead.ts'

/** A state that a reader has pinned. Its view may be replaced by one of other files, with the same content. */
export interface Pinned {
  view: View
  /** How many states before it did not continue the one before them: they may be of another history. */
  readonly jumps: number
}

/** Who reads: one connection. */
export interface Reader {
  readonly readAhead: ReadAhead
  /** Finds other files for the state of the pinned view, of which one is gone. Throws FetchFailed when there are none, FilesNeeded. */
  replace(pinned: Pinned, file: number): void
}

/** What was read, since the beginning. */
export interface PagerStats {
  /** Pages that were in the cache. */
  hits: number
  /** Pages that were not. */
  misses: number
  /** Time during which SQLite stood still for the store, ms. */
  waitMs: number
}

interface Inflight {
  readonly ticket: Ticket
  readonly request: RangeRequest
  readonly pageSize: PageSize
}

/** How often other files are looked for before a page counts as lost. */
const MOST_REPLACEMENTS = 8

/** Finds pages: in the cache, in what is on its way, or by requests that bring their neighbours too. */
export class Pager {
  readonly stats: PagerStats = { hits: 0, misses: 0, waitMs: 0 }
  readonly #cache: PageCache
  readonly #source: RangeSource
  readonly #gapBytes: number
  readonly #decoder = new FrameDecoder()
  #inflight: Inflight[] = []

  constructor(
    cache: PageCache,
    source: RangeSource,
    options: { readonly gapBytes?: number | undefined } = {},
  ) {
    this.#cache = cache
    this.#source = source
    this.#gapBytes = options.gapBytes ?? 65536
  }

  /** A page of a pinned state, valid until the next call; undefined for one of zeros. Throws FetchFailed, DamagedFile. */
  read(pinned: Pinned, pgno: number, reader: Reader): Uint8Array | undefined {
    for (let attempt = 0; ; attempt++) {
      const { view } = pinned
      const place = view.find(pgno)
      if (!place) return undefined
      const page = this.#cache.get(place.file, place.offset)
      if (page) {
        if (attempt === 0) this.stats.hits++
        const next = reader.readAhead.hit(pgno, this.#most(view.pageSize))
        if (!next) return page
        // What is fetched ahead may push this very page out.
        const copy = page.slice()
        this.#fetch(view, next)
        return copy
      }
      if (attempt === 0) this.stats.misses++
      try {
        return this.#fetchOne(view, pgno, place, reader)
      } catch (error) {
        if (!(error instanceof FileGone) || attempt === MOST_REPLACEMENTS) throw error
        reader.replace(pinned, place.file)
      }
    }
  }

  /** Takes the pages at the beginning of a file, or all of them, as far as the view needs them. If it is damaged, whoever needs a page of it learns of that. */
  seed(view: View, file: number, bytes: Uint8Array, pages: RangeRequest['pages']): void {
    const wanted = pages.filter(({ pgno, offset, size }) => {
      if (offset + size > bytes.byteLength) return false
      const place = view.find(pgno)
      return place?.file === file && place.offset === offset && !this.#cache.has(file, offset)
    })
    const request = { file, offset: 0, length: bytes.byteLength, pages: wanted }
    try {
      this.#decoder.decode(request, bytes, view.pageSize, ({ offset }, data) =>
        this.#cache.put(file, offset, data),
      )
    } catch (error) {
      if (!isLTXError(error)) throw error
    }
  }

  #fetchOne(view: View, pgno: number, { file, offset }: FramePlace, reader: Reader): Uint8Array {
    let window = reader.readAhead.miss(pgno, this.#most(view.pageSize))
    for (;;) {
      const coming = this.#inflight.find((each) => covers(each, file, offset))
      if (coming) return this.#harvest(coming, offset) as Uint8Array
      this.#fetch(view, window)
      // It may have come while room was made for its neighbours.
      const page = this.#cache.get(file, offset)
      if (page) return page
      if (this.#inflight.some((each) => covers(each, file, offset))) continue
      // All room is taken by what was asked for ahead.
      const [oldest] = this.#inflight
      if (oldest) this.#harvestQuietly(oldest)
      window = { needed: pgno, first: pgno, end: pgno + 1, isGuess: true }
    }
  }

  #fetch(view: View, window: Window): void {
    const requests = planRequests(view, window, {
      gapBytes: this.#gapBytes,
      isAtHand: (file, offset) =>
        this.#cache.has(file, offset) || this.#inflight.some((each) => covers(each, file, offset)),
    })
    for (const request of requests) {
      let ticket = this.#source.start(request.file, request.offset, request.length)
      if (ticket === undefined && this.#harvestDone()) {
        ticket = this.#source.start(request.file, request.offset, request.length)
      }
      if (ticket === undefined) return
      this.#inflight.push({ ticket, request, pageSize: view.pageSize })
    }
  }

  /** Puts into the cache what has come. */
  #harvestDone(): boolean {
    const done = this.#inflight.filter(({ ticket }) => this.#source.isDone(ticket))
    for (const each of done) this.#harvestQuietly(each)
    return done.length > 0
  }

  /** What was asked for ahead and failed is asked for again when it is needed: then it is told. */
  #harvestQuietly(inflight: Inflight): void {
    try {
      this.#harvest(inflight)
    } catch {
      // See above.
    }
  }

  /** Waits for a request and puts its pages into the cache. Gives the page at `wanted`, which may be pushed out again at once. */
  #harvest(inflight: Inflight, wanted?: number): Uint8Array | undefined {
    const { ticket, request, pageSize } = inflight
    this.#inflight = this.#inflight.filter((each) => each !== inflight)
    let found: Uint8Array | undefined
    try {
      const start = performance.now()
      const isDone = this.#source.isDone(ticket)
      const bytes = this.#source.take(ticket)
      if (!isDone) this.stats.waitMs += performance.now() - start
      this.#decoder.decode(request, bytes, pageSize, ({ offset }, data) => {
        if (offset === wanted) found = data.slice()
        this.#cache.put(request.file, offset, data)
      })
    } catch (error) {
      throw isLTXError(error) ? new DamagedFile(request.file, error.message) : error
    } finally {
      this.#source.release(ticket)
    }
    return found
  }

  /** Pages of one window: a part of the cache, so that windows do not push each other out before they are read. */
  #most(pageSize: PageSize): number {
    return Math.max(1, this.#cache.capacity(pageSize) >>> 2)
  }
}

function covers({ request }: Inflight, file: number, offset: number): boolean {
  if (request.file !== file || offset < request.offset || offset >= request.offset + request.length)
    return false
  return request.pages.some((page) => page.offset === offset)
}
