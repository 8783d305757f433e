import type { PageSize, TXID } from '@sqlstream/ltx'
import type { Address } from '../bridge/xhr-source.ts'
import type { LayerSource } from './layer.ts'
import { type Base, View, type ViewState } from './view.ts'

/** A file of a view, on its way to the thread that reads. */
export interface ViewFile extends LayerSource {
  /** The file from its beginning on: all of it, where it is small. */
  readonly bytes?: Uint8Array | undefined
  /** Where it is, for a thread that fetches by itself. */
  readonly address?: Address | undefined
}

/** How a session gets to another state. */
export interface ViewUpdate {
  readonly state: ViewState
  /** `files`: the first file is a snapshot; `newest`: the files come on top of the session's newest state; a number: on top of that snapshot, which is at hand. */
  readonly from: 'files' | 'newest' | number
  /** Oldest first. */
  readonly files: readonly ViewFile[]
}

/**
 * The view that an update leads to. A snapshot that comes with it is added to those that later updates may build on. Throws RangeError when what it builds on is not
 * there.
 */
export function updatedView(update: ViewUpdate, newest: View | undefined, bases: Map<number, Base>): View {
  const { state, from, files } = update
  if (from === 'files') {
    const view = View.of(state, files)
    bases.set(view.base.number, view.base)
    return view
  }
  if (from === 'newest') {
    if (!newest) throw new RangeError('there is no state to add to')
    return newest.advance(state, files)
  }
  const base = bases.get(from)
  if (!base) throw new RangeError(`snapshot ${from} is not at hand`)
  return View.on(base, state, files)
}

/** The memory that can be handed over with an update. */
export function buffersOf({ files }: ViewUpdate): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>()
  for (const { pgnos, offsets, sizes, bytes } of files) {
    for (const array of [pgnos, offsets, sizes, bytes]) if (array) buffers.add(array.buffer)
  }
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer)
}

/** Bytes of the head of an encoded update: the length of it all, and of the text behind. */
const HEAD = 16

interface Described {
  readonly txid: string
  readonly time: number
  readonly pageSize: PageSize
  readonly commit: number
  readonly from: ViewUpdate['from']
  readonly files: readonly { readonly number: number; readonly commit: number; readonly count: number }[]
}

/** An update without the bytes of its files, for a thread that cannot take a message. The first 8 bytes are the length, a float64. */
export function encodeUpdate({ state, from, files }: ViewUpdate): Uint8Array {
  const described: Described = {
    ...state,
    txid: state.txid.toString(),
    from,
    files: files.map(({ number, commit, pgnos }) => ({ number, commit, count: pgnos.length })),
  }
  const text = new TextEncoder().encode(JSON.stringify(described))
  const textEnd = align(HEAD + text.byteLength)
  const total = files.reduce((sum, { pgnos }) => sum + sizeOf(pgnos.length), textEnd)
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, total)
  view.setFloat64(8, text.byteLength)
  bytes.set(text, HEAD)
  let at = textEnd
  for (const { pgnos, offsets, sizes } of files) {
    const arrays = arraysAt(bytes.buffer, at, pgnos.length)
    arrays.offsets.set(offsets)
    arrays.pgnos.set(pgnos)
    arrays.sizes.set(sizes)
    at += sizeOf(pgnos.length)
  }
  return bytes
}

/** What `encodeUpdate` made. The bytes must begin a buffer of their own. */
export function decodeUpdate(bytes: Uint8Array<ArrayBuffer>): ViewUpdate {
  const textSize = new DataView(bytes.buffer).getFloat64(8)
  const text = new TextDecoder().decode(bytes.subarray(HEAD, HEAD + textSize))
  const { txid, time, pageSize, commit, from, files } = JSON.parse(text) as Described
  let at = align(HEAD + textSize)
  return {
    state: { txid: BigInt(txid) as TXID, time, pageSize, commit },
    from,
    files: files.map((file) => {
      const arrays = arraysAt(bytes.buffer, at, file.count)
      at += sizeOf(file.count)
      return { number: file.number, commit: file.commit, ...arrays }
    }),
  }
}

function arraysAt(buffer: ArrayBuffer, at: number, count: number) {
  return {
    offsets: new Float64Array(buffer, at, count),
    pgnos: new Uint32Array(buffer, at + 8 * count, count),
    sizes: new Uint32Array(buffer, at + 12 * count, count),
  }
}

function sizeOf(count: number): number {
  return 16 * count
}

function align(size: number): number {
  return Math.ceil(size / 8) * 8
}
