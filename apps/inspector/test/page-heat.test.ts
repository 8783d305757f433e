import { describe, expect, test } from 'vitest'
import { countPages, gridFor, heatMap, mostCells, moveInGrid, shadeOf } from '../src/model/page-heat.ts'

test('pages are counted once for each file that has them; those behind the end are left out', () => {
  expect([...countPages([[1, 3], Uint32Array.of(3, 9), []], 4)]).toEqual([1, 0, 2, 0])
})

test.each([
  { what: 'no page', counts: [], cells: 10, perCell: 1, most: [], touched: [], max: 0 },
  {
    what: 'a cell for each',
    counts: [1, 0, 5],
    cells: 3,
    perCell: 1,
    most: [1, 0, 5],
    touched: [1, 0, 1],
    max: 5,
  },
  {
    what: 'two in a cell',
    counts: [1, 0, 5, 2, 3],
    cells: 4,
    perCell: 2,
    most: [1, 5, 3],
    touched: [1, 2, 1],
    max: 5,
  },
  { what: 'all in one', counts: [1, 1, 1, 1, 1, 4], cells: 1, perCell: 8, most: [4], touched: [6], max: 4 },
])(
  'the map of $what shows the hottest page of each cell',
  ({ counts, cells, perCell, most, touched, max }) => {
    const heat = heatMap(Uint32Array.from(counts), cells)
    expect(heat.pagesPerCell).toBe(perCell)
    expect([...heat.most]).toEqual(most)
    expect([...heat.touched]).toEqual(touched)
    expect(heat.max).toBe(max)
  },
)

test('a map never has more cells than asked for', () => {
  for (const pages of [1, 2, 3, 7, 64, 65, 1000, 100_003]) {
    for (const cells of [1, 2, 3, 50, 64, 999]) {
      expect(heatMap(new Uint32Array(pages), cells).most.length).toBeLessThanOrEqual(cells)
    }
  }
})

test.each([
  { count: 0, max: 9, shade: 0 },
  { count: 1, max: 1, shade: 6 },
  { count: 1, max: 100, shade: 1 },
  { count: 10, max: 100, shade: 4 },
  { count: 100, max: 100, shade: 6 },
])('$count of at most $max has the shade $shade', ({ count, max, shade }) => {
  expect(shadeOf(count, max, 6)).toBe(shade)
})

test.each([
  { cells: 10, width: 400, height: 200, grid: '22 x 1 of 18' },
  { cells: 1800, width: 600, height: 200, grid: '75 x 24 of 8' },
  { cells: 3000, width: 600, height: 200, grid: '100 x 30 of 6' },
])('$cells squares in $width x $height are $grid', ({ cells, width, height, grid }) => {
  const { columns, rows, cell } = gridFor(cells, width, height)
  expect(`${columns} x ${rows} of ${cell}`).toBe(grid)
  expect(cells).toBeLessThanOrEqual(mostCells(width, height))
})

describe('arrows in a grid of 3 columns and 8 cells', () => {
  test.each([
    { from: 0, key: 'ArrowRight', to: 1 },
    { from: 0, key: 'ArrowLeft', to: 0 },
    { from: 1, key: 'ArrowDown', to: 4 },
    { from: 5, key: 'ArrowDown', to: 5 },
    { from: 4, key: 'ArrowUp', to: 1 },
    { from: 4, key: 'Home', to: 0 },
    { from: 4, key: 'End', to: 7 },
  ])('$key from $from leads to $to', ({ from, key, to }) => {
    expect(moveInGrid(from, key, { columns: 3 }, 8)).toBe(to)
  })
})
