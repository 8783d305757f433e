import { type PageSize, toTXID } from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planRequests, REQUEST_BYTES, ReadAhead } from '../src/pages/read-ahead.ts'
import { View } from '../src/view/view.ts'

const GAP = 65536

describe('planRequests', () => {
  const database = fc.record({
    sizes: fc.array(fc.integer({ min: 20, max: 70_000 }), { minLength: 1, maxLength: 300 }),
    changed: fc.uniqueArray(fc.integer({ min: 1, max: 300 }), { maxLength: 50 }),
    cached: fc.uniqueArray(fc.integer({ min: 2, max: 300 }), { maxLength: 100 }),
    first: fc.integer({ min: 1, max: 300 }),
    length: fc.integer({ min: 1, max: 400 }),
    isGuess: fc.boolean(),
  })

  test('A1: asks for each page of the window once, where it lies, in requests of one file that are not too long', () => {
    fc.assert(
      fc.property(database, ({ sizes, changed, cached, first, length, isGuess }) => {
        const view = viewOf(sizes, changed)
        const start = Math.min(first, view.commit)
        const needed = Math.min(start + (length >>> 1), view.commit)
        const window = { needed, first: start, end: first + length, isGuess }
        const have = new Set(cached.filter((pgno) => pgno !== needed).map((pgno) => keyOf(view, pgno)))
        const isAtHand = (file: number, offset: number): boolean => have.has(`${file} ${offset}`)
        const requests = planRequests(view, window, { isAtHand, gapBytes: GAP })
        const asked: number[] = []
        for (const { file, offset, length, pages } of requests) {
          expect(length).toBeLessThanOrEqual(REQUEST_BYTES)
          let end = offset
          for (const page of pages) {
            expect(view.find(page.pgno)).toEqual({ file, offset: page.offset, size: page.size })
            expect(page.offset).toBeGreaterThanOrEqual(end)
            expect(page.offset - end).toBeLessThanOrEqual(GAP)
            end = page.offset + page.size
            asked.push(page.pgno)
          }
          expect(end).toBe(offset + length)
        }
        expect(new Set(asked).size).toBe(asked.length)
        expect(requests[0]?.pages.map(({ pgno }) => pgno)).toContain(needed)
        if (isGuess) expect(requests.length).toBe(1)
        else {
          const wanted = Array.from({ length }, (_, i) => first + i).filter(
            (pgno) => pgno >= window.first && pgno <= view.commit && !have.has(keyOf(view, pgno)),
          )
          expect(asked.sort((a, b) => a - b)).toEqual(wanted.length > 0 ? wanted : [view.commit])
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('ReadAhead', () => {
  test('A2: a run of pages is fetched in windows that double, each begun when the one before is half read', () => {
    const plan = new ReadAhead()
    const fetched = new Set<number>()
    const windows: number[] = []
    for (let pgno = 1; pgno <= 20_000; pgno++) {
      const window = fetched.has(pgno) ? plan.hit(pgno, 10_000) : plan.miss(pgno, 10_000)
      if (!window) continue
      windows.push(window.end - window.first)
      for (let at = window.first; at < window.end; at++) fetched.add(at)
    }
    expect(windows.slice(0, 9)).toEqual([8, 16, 32, 64, 128, 256, 512, 1024, 1024])
    expect(windows.length).toBeLessThan(30)
  })

  test('A2: pages that are read here and there bring few others', () => {
    const plan = new ReadAhead()
    for (let pgno = 1; pgno <= 1_000_000; pgno += 997) {
      expect(plan.miss(pgno, 1000)).toEqual({ needed: pgno, first: pgno, end: pgno + 8, isGuess: true })
    }
  })

  test('A2: several runs at once do not disturb each other', () => {
    const plan = new ReadAhead()
    let windows = 0
    const fetched = new Set<number>()
    for (let i = 0; i < 3000; i++) {
      for (const start of [1, 100_000, 200_000]) {
        const pgno = start + i
        const window = fetched.has(pgno) ? plan.hit(pgno, 10_000) : plan.miss(pgno, 10_000)
        if (!window) continue
        windows++
        for (let at = window.first; at < window.end; at++) fetched.add(at)
      }
    }
    expect(windows).toBeLessThan(3 * 14)
  })

  test('A2: pages of one place that are read in any order come with those around them', () => {
    const plan = new ReadAhead()
    const random = [7, 3, 90, 41, 60, 12, 77, 25, 5, 99, 33, 68, 50, 84, 18].map((n) => 5000 + n)
    const fetched = new Set<number>()
    let windows = 0
    for (const pgno of random) {
      if (fetched.has(pgno)) continue
      const window = plan.miss(pgno, 1000)
      windows++
      expect(window.needed).toBe(pgno)
      for (let at = window.first; at < window.end; at++) fetched.add(at)
    }
    expect(windows).toBeLessThanOrEqual(5)
  })

  test('A2: never more pages than there is room for, and as many as the options say', () => {
    const small = new ReadAhead()
    const fetched: number[] = []
    for (let pgno = 1; pgno < 500; pgno++) {
      const window = small.miss(pgno, 4)
      fetched.push(window.end - window.first)
    }
    expect(Math.max(...fetched)).toBe(4)
    expect(new ReadAhead({ startPages: 1 }).miss(5, 100)).toEqual({
      needed: 5,
      first: 5,
      end: 6,
      isGuess: true,
    })
  })
})

function viewOf(sizes: readonly number[], changed: readonly number[]): View {
  const commit = sizes.length
  const state = { txid: toTXID(2), time: 0, pageSize: 4096 as PageSize, commit }
  const all = sizes.map((_, i) => i + 1)
  const some = changed.filter((pgno) => pgno <= commit).sort((a, b) => a - b)
  const source = (number: number, pgnos: readonly number[]) => {
    let offset = 100
    const offsets = pgnos.map((pgno) => {
      const at = offset
      offset += sizes[pgno - 1] as number
      return at
    })
    return {
      number,
      commit,
      pgnos: new Uint32Array(pgnos),
      offsets: new Float64Array(offsets),
      sizes: new Uint32Array(pgnos.map((pgno) => sizes[pgno - 1] as number)),
    }
  }
  return View.of(state, [source(1, all), source(2, some)])
}

function keyOf(view: View, pgno: number): string {
  const place = view.find(pgno)
  return place ? `${place.file} ${place.offset}` : ''
}
