/** Values over a number of databases. */
export interface Series {
  readonly label: string
  readonly points: readonly (readonly [databases: number, value: number])[]
}

/** A chart with both axes logarithmic. */
export interface Chart {
  readonly title: string
  readonly series: readonly Series[]
}

const WIDTH = 400
const HEIGHT = 250
const PLOT = { left: 56, right: 24, top: 48, bottom: 32 }
const COLUMNS = 2

/** Charts side by side as one SVG, for light and for dark pages. */
export function renderCharts(charts: readonly Chart[]): string {
  const drawn = charts.map((chart, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT]
    return `<g transform="translate(${x} ${y})">${renderChart(chart)}</g>`
  })
  const [width, height] = [COLUMNS * WIDTH, Math.ceil(charts.length / COLUMNS) * HEIGHT]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>${charts.map(({ title }) => title).join('; ')}</title>`,
    '<style>text{fill:#24292f}.grid{stroke:#d0d7de}.s0{stroke:#0969da;fill:#0969da}.s1{stroke:#bc4c00;fill:#bc4c00}.back{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.s0{stroke:#58a6ff;fill:#58a6ff}.s1{stroke:#ffa657;fill:#ffa657}.back{fill:#0d1117}}polyline.s0,polyline.s1{fill:none;stroke-width:2}</style>',
    `<rect class="back" width="${width}" height="${height}"/>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

function renderChart({ title, series }: Chart): string {
  const points = series.flatMap((each) => each.points)
  // Nothing has no place on a logarithmic axis: it is drawn at the bottom.
  const floor =
    10 ** Math.floor(Math.log10(Math.min(...points.map(([, value]) => value).filter((v) => v > 0), 1)))
  const x = axis(
    points.map(([count]) => count),
    PLOT.left,
    WIDTH - PLOT.right,
  )
  const y = axis(
    points.map(([, value]) => Math.max(value, floor)),
    HEIGHT - PLOT.bottom,
    PLOT.top,
  )
  const grid = [
    ...x.ticks.map((tick) => line(x.at(tick), PLOT.top, x.at(tick), HEIGHT - PLOT.bottom)),
    ...y.ticks.map((tick) => line(PLOT.left, y.at(tick), WIDTH - PLOT.right, y.at(tick))),
    ...x.ticks.map((tick) =>
      text(x.at(tick), HEIGHT - PLOT.bottom + 16, tick.toLocaleString('en-US'), 'middle'),
    ),
    ...y.ticks.map((tick) => text(PLOT.left - 6, y.at(tick) + 4, tick.toLocaleString('en-US'), 'end')),
  ]
  const lines = series.map(({ label, points: own }, n) => {
    if (own.length === 0) return ''
    const places = own.map(([count, value]) => [x.at(count), y.at(Math.max(value, floor))] as const)
    const legend = PLOT.left + n * 160
    return [
      `<polyline class="s${n}" points="${places.map(([px, py]) => `${round(px)},${round(py)}`).join(' ')}"/>`,
      ...places.map(([px, py]) => `<circle class="s${n}" cx="${round(px)}" cy="${round(py)}" r="3"/>`),
      `<circle class="s${n}" cx="${legend}" cy="34" r="4"/>`,
      text(legend + 9, 38, label, 'start'),
    ].join('')
  })
  const heading = `<text x="${PLOT.left}" y="18" font-size="13" font-weight="600">${title}</text>`
  return [heading, ...grid, ...lines].join('')
}

/** A logarithmic axis over whole powers of ten, from one place to another. */
function axis(
  values: readonly number[],
  from: number,
  to: number,
): { ticks: number[]; at(value: number): number } {
  const low = Math.floor(Math.log10(Math.min(...values)) + 1e-9)
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values)) - 1e-9), low + 1)
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  return { ticks, at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from) }
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="grid" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}

function text(x: number, y: number, content: string, anchor: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${content}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
