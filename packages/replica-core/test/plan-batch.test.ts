import { expect, it } from 'vitest'
import { batchLength } from '../src/plan-batch.ts'

const limits = { from: 3, files: 5, bytes: 100 }

it.each([
  ['a single one', [10], 1],
  ['too few to be a backlog', [10, 10], 1],
  ['a backlog', [10, 10, 10], 3],
  ['more than one put takes', [1, 1, 1, 1, 1, 1, 1], 5],
  ['more bytes than one put takes', [40, 40, 40, 1], 2],
  ['exactly as many bytes', [40, 40, 20, 1], 3],
  ['a large one first: as it is', [200, 1, 1], 1],
  ['a large one behind: before it', [1, 1, 200, 1], 2],
] as const)('%s', (_what, sizes, expected) => {
  expect(
    batchLength(
      sizes.map((size) => ({ size })),
      { limits },
    ),
  ).toBe(expected)
})

it('two are merged while other databases wait', () => {
  const files = [{ size: 10 }, { size: 10 }]
  expect(batchLength(files, { limits, crowded: true })).toBe(2)
  expect(batchLength(files.slice(1), { limits, crowded: true })).toBe(1)
})
