import { type PageSize, toTXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FramePlace, LayerSource } from '../src/view/layer.ts'
import { View, type ViewState } from '../src/view/view.ts'
import { decodeUpdate, encodeUpdate, updatedView } from '../src/view/view-update.ts'

/** A file in short: its size in pages, and the pages in it. */
interface Spec {
  readonly commit: number
  readonly pgnos: readonly number[]
}

const PAGE_SIZE: PageSize = 512

const files = fc
  .array(
    fc.record({
      commit: fc.integer({ min: 1, max: 40 }),
      pgnos: fc.uniqueArray(fc.integer({ min: 1, max: 40 })),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((specs) => specs.map(({ commit, pgnos }, i) => ({ commit, pgnos: i === 0 ? pgnosTo(commit) : pgnos })))

test('V2, V3: a page is that of the newest file that has it, and zeros where the database was smaller since', () => {
  fc.assert(
    fc.property(files, fc.nat(), (specs, cut) => {
      const sources = specs.map(sourceOf)
      const state = stateOf(specs)
      const split = cut % specs.length
      const whole = View.of(state, sources)
      const grown = View.of(stateOf(specs.slice(0, split + 1)), sources.slice(0, split + 1)).advance(
        state,
        sources.slice(split + 1),
      )
      const onBase = View.on(whole.base, state, sources.slice(1))
      for (let pgno = 0; pgno <= 42; pgno++) {
        const expected = expectedPlace(specs, pgno)
        for (const view of [whole, grown, onBase]) expect(view.find(pgno)).toEqual(expected)
      }
    }),
    { numRuns: 500 },
  )
})

test('V4: an update is the same after it went through bytes', () => {
  fc.assert(
    fc.property(files, fc.constantFrom('files' as const, 'newest' as const, 7), (specs, from) => {
      const update = { state: stateOf(specs), from, files: specs.map(sourceOf) }
      const bytes = encodeUpdate(update)
      expect(new DataView(bytes.buffer).getFloat64(0)).toBe(bytes.byteLength)
      expect(decodeUpdate(new Uint8Array(bytes))).toEqual(update)
    }),
  )
})

test('an update that builds on what is not there is refused', () => {
  const state = stateOf([{ commit: 1, pgnos: [1] }])
  expect(() => updatedView({ state, from: 'newest', files: [] }, undefined, new Map())).toThrow(RangeError)
  expect(() => updatedView({ state, from: 3, files: [] }, undefined, new Map())).toThrow(RangeError)
  expect(() => updatedView({ state, from: 'files', files: [] }, undefined, new Map())).toThrow(RangeError)
})

function expectedPlace(specs: readonly Spec[], pgno: number): FramePlace | undefined {
  const last = specs[specs.length - 1] as Spec
  if (pgno < 1 || pgno > last.commit) return undefined
  for (let i = specs.length - 1; i >= 0; i--) {
    const { commit, pgnos } = specs[i] as Spec
    if (pgno > commit) return undefined
    const at = [...pgnos].sort((a, b) => a - b).indexOf(pgno)
    if (at >= 0) return { file: i + 1, offset: 100 + at * 10, size: 10 }
  }
  return undefined
}

function sourceOf({ commit, pgnos }: Spec, i: number): LayerSource {
  const sorted = [...pgnos].sort((a, b) => a - b)
  return {
    number: i + 1,
    commit,
    pgnos: new Uint32Array(sorted),
    offsets: Float64Array.from(sorted, (_, at) => 100 + at * 10),
    sizes: new Uint32Array(sorted.length).fill(10),
  }
}

function stateOf(specs: readonly Spec[]): ViewState {
  const { commit } = specs[specs.length - 1] as Spec
  return { txid: toTXID(specs.length), time: 0, pageSize: PAGE_SIZE, commit }
}

function pgnosTo(commit: number): number[] {
  return Array.from({ length: commit }, (_, i) => i + 1)
}

test('V3: the lock page is zeros, and the pages behind it are not moved', () => {
  const pageSize: PageSize = 65536
  const lock = 16385
  const pgnos = Uint32Array.from({ length: lock + 3 }, (_, i) => (i + 1 < lock ? i + 1 : i + 2))
  const commit = pgnos.at(-1)!
  const source = {
    number: 1,
    commit,
    pgnos,
    offsets: Float64Array.from(pgnos, (pgno) => pgno * 100),
    sizes: new Uint32Array(pgnos.length).fill(10),
  }
  const view = View.of({ txid: toTXID(1), time: 0, pageSize, commit }, [source])
  expect(view.find(lock)).toBeUndefined()
  for (const pgno of [1, lock - 1, lock + 1, commit]) expect(view.find(pgno)?.offset).toBe(pgno * 100)
})
