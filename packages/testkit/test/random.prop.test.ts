import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Random } from '../src/index.ts'

it('stays in range, and repeats itself only for the same seed', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: -1000, max: 1000 }),
      fc.nat({ max: 5000 }),
      (seed, from, span) => {
        const random = new Random(seed)
        const twin = new Random(seed)
        for (let i = 0; i < 50; i++) {
          const value = random.integer(from, from + span)
          expect(value).toBe(twin.integer(from, from + span))
          expect(value).toBeGreaterThanOrEqual(from)
          expect(value).toBeLessThanOrEqual(from + span)
        }
      },
    ),
  )
})

it('gives other numbers for neighbouring seeds, and all of them in the long run', () => {
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => new Random(seed).below(1e9)))
  expect(firsts.size).toBeGreaterThan(990)
  const random = new Random(1)
  const seen = new Set(Array.from({ length: 500 }, () => random.pick(['a', 'b', 'c', 'd'])))
  expect(seen.size).toBe(4)
})

it('is true about as often as asked', () => {
  const random = new Random(3)
  const hits = Array.from({ length: 100_000 }, () => random.chance(0.1)).filter(Boolean).length
  expect(hits).toBeGreaterThan(9000)
  expect(hits).toBeLessThan(11_000)
  expect(random.chance(0)).toBe(false)
})

it('makes bytes that do not compress', () => {
  const bytes = new Random(9).bytes(4099)
  expect(bytes).toHaveLength(4099)
  expect(new Set(bytes).size).toBe(256)
})
