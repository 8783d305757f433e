import type { Figure } from './benchmark.ts'
import { type Chart, renderCharts, type Series } from './chart.ts'
import { type Result, type Results, renderTable } from './results.ts'

const IDLE = 'fleet-idle'
const WRITES = 'fleet-writes'

/** The page and the picture that show how cost grows with databases and with changes. */
export interface Scale {
  readonly markdown: string
  readonly svg: string
}

/** From the newest full results of both fleets, as far as they were measured; undefined when neither was. */
export function renderScale(all: readonly Results[]): Scale | undefined {
  const parts = [IDLE, WRITES].flatMap((name) => {
    const results = all.filter(({ size, benchmarks }) => size === 'full' && name in benchmarks).at(-1)
    return results === undefined ? [] : [{ results, result: results.benchmarks[name] as Result }]
  })
  if (parts.length === 0) return undefined
  const figures = parts.flatMap(({ result }) => result.figures)
  return { markdown: page(parts), svg: renderCharts(chartsOf(figures)) }
}

/** The values of one figure by the number of databases in its name; `pattern` has a group with that number. */
function series(label: string, figures: readonly Figure[], pattern: RegExp, shift = 0): Series {
  const points = figures.flatMap(({ name, value }) => {
    const count = pattern.exec(name)?.[1]
    return count === undefined ? [] : [[Number(count) + shift, value] as const]
  })
  return { label, points }
}

function chartsOf(figures: readonly Figure[]): Chart[] {
  const both = (what: string): Series[] => [
    series('sqlstream', figures, new RegExp(`^(\\d+) idle databases: ${what}$`)),
    series('Litestream', figures, new RegExp(`^(\\d+) idle databases, Litestream: ${what}$`)),
  ]
  const across = (what: string): Series[] => [
    series('20/s to one of them', figures, new RegExp(`among (\\d+) idle ones.*: ${what}$`), 1),
    series('1/s to each', figures, new RegExp(`^(\\d+) databases, one write a second each: ${what}$`)),
    series(
      '1/s to each, Litestream',
      figures,
      new RegExp(`^(\\d+) databases, one write.*, Litestream: ${what}$`),
    ),
  ]
  const charts = [
    { title: 'Idle: processor time, % of a core', series: both('processor time') },
    { title: 'Idle: memory, MB', series: both('memory') },
    { title: 'Idle: descriptors', series: both('descriptors') },
    {
      title: 'First start, with a snapshot of each, s',
      series: both('first start, with a snapshot of each'),
    },
    { title: 'Written: processor time, % of a core', series: across('processor time') },
    { title: 'Written: commit to replica, p99, ms', series: across('commit to replica, p99') },
  ]
  return charts.filter((chart) => chart.series.some(({ points }) => points.length > 0))
}

/** What was measured, and when. */
interface Part {
  readonly results: Results
  readonly result: Result
}

function page(parts: readonly Part[]): string {
  return [
    '# What many databases cost',
    '',
    'Written by `npm run bench -- fleet-idle fleet-writes`. Cost grows with changes, not with databases: one that nobody writes is a small record in memory, without a connection, a descriptor, a timer or a request; see [the fleet](fleet.md).',
    '',
    '![Cost by the number of databases](scale.svg)',
    '',
    ...parts.flatMap(({ results: { machine, date, commit }, result }) => [
      `## ${result.title}`,
      '',
      result.description,
      '',
      `${date.slice(0, 10)}, commit ${commit}; ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}, ${machine.fileSystem}; Node ${machine.node}; load before ${machine.loadBefore}.`,
      '',
      ...renderTable(result),
      '',
      ...result.notes.flatMap((note) => [note, '']),
    ]),
  ].join('\n')
}
