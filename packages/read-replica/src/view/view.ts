import type { PageSize, TXID } from '@sqlstream/ltx'
import { type FramePlace, type Layer, type LayerSource, layerOf, mergeLayers, placeIn } from './layer.ts'

/** What a state is, besides its pages. */
export interface ViewState {
  readonly txid: TXID
  /** When it was committed, ms since the Unix epoch. */
  readonly time: number
  readonly pageSize: PageSize
  /** Size in pages. */
  readonly commit: number
}

/** The first file of a view: a snapshot, which holds all pages of its state. */
export interface Base {
  readonly number: number
  readonly layer: Layer
}

/** One state of a database and where each of its pages lies. Never changes. */
export class View implements ViewState {
  readonly txid: TXID
  readonly time: number
  readonly pageSize: PageSize
  readonly commit: number
  readonly base: Base
  /** Newest first; each at least twice as large as the one before, so that there are few. */
  readonly #overlays: readonly Layer[]

  private constructor(state: ViewState, base: Base, overlays: readonly Layer[]) {
    this.txid = state.txid
    this.time = state.time
    this.pageSize = state.pageSize
    this.commit = state.commit
    this.base = base
    this.#overlays = overlays
  }

  /** A view of files, the snapshot first. Throws RangeError when there is none. */
  static of(state: ViewState, files: readonly LayerSource[]): View {
    const [first, ...rest] = files
    if (!first) throw new RangeError('a view without a file')
    return View.on({ number: first.number, layer: layerOf(first) }, state, rest)
  }

  /** A view that takes the snapshot of another one and adds files to it, oldest first. */
  static on(base: Base, state: ViewState, files: readonly LayerSource[]): View {
    return new View(state, base, files.reduce(withOverlay, []))
  }

  /** The state after more files, oldest first. */
  advance(state: ViewState, files: readonly LayerSource[]): View {
    return new View(state, this.base, files.reduce(withOverlay, this.#overlays))
  }

  /** Where a page lies; undefined for one of zeros: behind the end, the lock page, or one that no file holds since the database was smaller. */
  find(pgno: number): FramePlace | undefined {
    if (pgno < 1 || pgno > this.commit) return undefined
    for (const layer of this.#overlays) {
      const place = placeIn(layer, pgno)
      if (place) return place
      if (pgno > layer.limit) return undefined
    }
    return placeIn(this.base.layer, pgno)
  }
}

/** Merges layers of about the same size, so a page is looked for in a few of them, and each entry is moved a few times. */
function withOverlay(overlays: readonly Layer[], source: LayerSource): readonly Layer[] {
  const [...rest] = overlays
  let top = layerOf(source)
  while (rest[0] && rest[0].pgnos.length < 2 * top.pgnos.length + 16) {
    top = mergeLayers(top, rest.shift() as Layer)
  }
  return [top, ...rest]
}
