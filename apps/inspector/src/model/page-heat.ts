/** How often pages changed, by cells of a map. */
export interface HeatMap {
  /** Pages that one cell stands for. */
  readonly pagesPerCell: number
  /** Files that have the page of the cell that most of them have. */
  readonly most: Uint32Array
  /** Pages of the cell that some file has. */
  readonly touched: Uint32Array
  /** The largest of `most`. */
  readonly max: number
}

/** In how many files each page is; page 1 is at 0. Pages behind the end are left out. */
export function countPages(lists: Iterable<ArrayLike<number>>, pageCount: number): Uint32Array {
  const counts = new Uint32Array(pageCount)
  for (const pgnos of lists) {
    for (let i = 0; i < pgnos.length; i++) {
      const at = (pgnos[i] as number) - 1
      if (at < pageCount) counts[at] = counts[at]! + 1
    }
  }
  return counts
}

/** Puts pages into cells. What counts in a cell is its hottest page: an average would hide it. */
export function heatMap(counts: Uint32Array, mostCells: number): HeatMap {
  const pagesPerCell = Math.max(
    1,
    2 ** Math.ceil(Math.log2(Math.max(1, counts.length) / Math.max(1, mostCells))),
  )
  const cells = Math.ceil(counts.length / pagesPerCell)
  const most = new Uint32Array(cells)
  const touched = new Uint32Array(cells)
  let max = 0
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!
    if (count === 0) continue
    const cell = Math.floor(i / pagesPerCell)
    touched[cell] = touched[cell]! + 1
    if (count > most[cell]!) most[cell] = count
    if (count > max) max = count
  }
  return { pagesPerCell, most, touched, max }
}

/** The shade of a count: 0 for none, 1 to `shades` for the others, by its logarithm. */
export function shadeOf(count: number, max: number, shades: number): number {
  if (count === 0) return 0
  if (max <= 1) return shades
  return 1 + Math.round((Math.log(count) / Math.log(max)) * (shades - 1))
}

/** A grid of squares. */
export interface Grid {
  readonly columns: number
  readonly rows: number
  /** Pixels from one square to the next. */
  readonly cell: number
}

/** Sizes of a square, pixels: the largest that fits is taken. */
const CELLS = [18, 14, 11, 8, 6]

/** Squares as large as fit into `width` and `height`; `most` is how many fit at all. */
export function gridFor(cells: number, width: number, height: number): Grid {
  for (const cell of CELLS) {
    const columns = Math.max(1, Math.floor(width / cell))
    const rows = Math.ceil(cells / columns)
    if (rows * cell <= height) return { columns, rows, cell }
  }
  const cell = CELLS[CELLS.length - 1]!
  const columns = Math.max(1, Math.floor(width / cell))
  return { columns, rows: Math.ceil(cells / columns), cell }
}

/** How many squares fit into `width` and `height`. */
export function mostCells(width: number, height: number): number {
  const cell = CELLS[CELLS.length - 1]!
  return Math.max(1, Math.floor(width / cell)) * Math.max(1, Math.floor(height / cell))
}

/** The cell that an arrow key leads to. */
export function moveInGrid(
  at: number,
  key: string,
  { columns }: Pick<Grid, 'columns'>,
  cells: number,
): number {
  const step: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }
  if (key === 'Home') return 0
  if (key === 'End') return cells - 1
  const next = at + (step[key] ?? 0)
  return next >= 0 && next < cells ? next : at
}
