import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PageCache } from '../src/pages/page-cache.ts'

const PAGE = 512

test('C1: gives what was put, never another page, and keeps within its bytes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(30), fc.boolean()), { maxLength: 400 }),
      (steps) => {
        const cache = new PageCache(20 * PAGE)
        for (const [file, at, isPut] of steps) {
          if (isPut) cache.put(file, at * 100, pageOf(file, at))
          const page = cache.get(file, at * 100)
          expect(cache.has(file, at * 100)).toBe(page !== undefined)
          if (page) expect(page).toEqual(pageOf(file, at))
          if (isPut) expect(page).toBeDefined()
          expect(cache.byteLength).toBeLessThanOrEqual(20 * PAGE)
        }
      },
    ),
  )
})

test('C1: what was asked for stays longer than what was not', () => {
  const cache = new PageCache(16 * PAGE)
  for (let at = 0; at < 16; at++) cache.put(1, at, pageOf(1, at))
  for (let at = 0; at < 8; at++) cache.get(1, at)
  for (let at = 0; at < 8; at++) cache.put(2, at, pageOf(2, at))
  for (let at = 0; at < 8; at++) expect(cache.has(1, at)).toBe(true)
  for (let at = 8; at < 16; at++) expect(cache.has(1, at)).toBe(false)
})

test('C1: another page size empties it, and the bytes are bounded all the same', () => {
  const cache = new PageCache(64 * PAGE)
  for (let at = 0; at < 100; at++) cache.put(1, at, pageOf(1, at))
  expect(cache.byteLength).toBe(64 * PAGE)
  cache.put(1, 5000, new Uint8Array(4096).fill(9))
  expect(cache.has(1, 99)).toBe(false)
  expect(cache.get(1, 5000)).toEqual(new Uint8Array(4096).fill(9))
  expect(cache.byteLength).toBe(4096)
  expect(() => new PageCache(-1)).toThrow(RangeError)
})

function pageOf(file: number, at: number): Uint8Array {
  return new Uint8Array(PAGE).fill(file * 31 + at)
}
