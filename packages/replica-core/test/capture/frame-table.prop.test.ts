import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameTable } from '../../src/capture/frame-table.ts'

// Many with few different low bits, as pages of one table are, and some with all bits.
const pgno = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 0xfffffffe }),
  fc.nat(3000).map((n) => n * 128 + 1),
)

it('holds the newest frame of each page, as a Map would', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(pgno, { maxLength: 400 }), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(1, 2, 1024),
      (rounds, capacity) => {
        const table = new FrameTable(capacity)
        for (const pages of rounds) {
          table.clear()
          const model = new Map<number, number>()
          for (const [i, page] of pages.entries()) {
            table.set(page, i + 1)
            model.set(page, i + 1)
          }
          expect(table.count).toBe(model.size)
          expect([...table.pages()]).toEqual([...model.keys()].sort((a, b) => a - b))
          for (const [page, frame] of model) expect(table.get(page)).toBe(frame)
          for (const page of [1, 77, 0x7fffffff]) expect(table.get(page)).toBe(model.get(page) ?? 0)
        }
      },
    ),
    { numRuns: 150 },
  )
})

it('does not keep the memory of one huge transaction', () => {
  const table = new FrameTable()
  for (let page = 1; page <= 600_000; page++) table.set(page, page)
  expect(table.count).toBe(600_000)
  expect(table.get(600_000)).toBe(600_000)
  table.clear()
  expect([table.count, table.get(5), table.pages().length]).toEqual([0, 0, 0])
  for (let page = 1; page <= 5000; page++) table.set(page, page + 1)
  expect(table.get(5000)).toBe(5001)
})
