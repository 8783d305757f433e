/** Where the frame of a page lies. */
export interface FramePlace {
  /** Number of the file, as the source of the pages counts them. */
  readonly file: number
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes of the whole frame. */
  readonly size: number
}

/** The pages of one file, or of several merged ones, by ascending page number. */
export interface Layer {
  readonly pgnos: Uint32Array
  readonly offsets: Float64Array
  readonly sizes: Uint32Array
  /** The file of each page, or that of all. */
  readonly files: Uint32Array | number
  /** Size of the smallest state that this layer passes, in pages: of what lies behind, older layers tell nothing any more. */
  readonly limit: number
}

/** What a page index and a header tell of a file. */
export interface LayerSource {
  readonly number: number
  /** Size of the database after this file, in pages. */
  readonly commit: number
  readonly pgnos: Uint32Array
  readonly offsets: Float64Array
  readonly sizes: Uint32Array
}

/** The layer of one file. Pages behind its size do not count. */
export function layerOf({ number, commit, pgnos, offsets, sizes }: LayerSource): Layer {
  let count = pgnos.length
  while (count > 0 && (pgnos[count - 1] as number) > commit) count--
  return {
    pgnos: pgnos.subarray(0, count),
    offsets: offsets.subarray(0, count),
    sizes: sizes.subarray(0, count),
    files: number,
    limit: commit,
  }
}

/** Where a layer has a page; undefined if it has not. */
export function placeIn(layer: Layer, pgno: number): FramePlace | undefined {
  const at = indexOf(layer.pgnos, pgno)
  if (at < 0) return undefined
  const { files } = layer
  return {
    file: typeof files === 'number' ? files : (files[at] as number),
    offset: layer.offsets[at] as number,
    size: layer.sizes[at] as number,
  }
}

/** One layer that says what two say, the newer one first. */
export function mergeLayers(newer: Layer, older: Layer): Layer {
  const most = newer.pgnos.length + older.pgnos.length
  const pgnos = new Uint32Array(most)
  const offsets = new Float64Array(most)
  const sizes = new Uint32Array(most)
  const files = new Uint32Array(most)
  let count = 0
  const take = (layer: Layer, at: number): void => {
    pgnos[count] = layer.pgnos[at] as number
    offsets[count] = layer.offsets[at] as number
    sizes[count] = layer.sizes[at] as number
    files[count] = typeof layer.files === 'number' ? layer.files : (layer.files[at] as number)
    count++
  }
  let n = 0
  let o = 0
  const oldEnd = firstAbove(older.pgnos, newer.limit)
  while (n < newer.pgnos.length || o < oldEnd) {
    const fromNewer = n < newer.pgnos.length ? (newer.pgnos[n] as number) : Number.POSITIVE_INFINITY
    const fromOlder = o < oldEnd ? (older.pgnos[o] as number) : Number.POSITIVE_INFINITY
    if (fromOlder < fromNewer) take(older, o)
    else take(newer, n)
    if (fromNewer <= fromOlder) n++
    if (fromOlder <= fromNewer) o++
  }
  return {
    pgnos: pgnos.slice(0, count),
    offsets: offsets.slice(0, count),
    sizes: sizes.slice(0, count),
    files: files.slice(0, count),
    limit: Math.min(newer.limit, older.limit),
  }
}

/** Position of the first page above `pgno`. */
function firstAbove(pgnos: Uint32Array, pgno: number): number {
  let low = 0
  let high = pgnos.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pgnos[middle] as number) <= pgno) low = middle + 1
    else high = middle
  }
  return low
}

function indexOf(pgnos: Uint32Array, pgno: number): number {
  // A snapshot has every page: its place is its number, or one less behind the lock page.
  if (pgnos[pgno - 1] === pgno) return pgno - 1
  if (pgno >= 2 && pgnos[pgno - 2] === pgno) return pgno - 2
  const at = firstAbove(pgnos, pgno) - 1
  return at >= 0 && pgnos[at] === pgno ? at : -1
}
