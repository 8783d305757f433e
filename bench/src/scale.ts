import type { Figure } from './benchmark.ts'
import { type Chart, renderCharts, type Series } from './chart.ts'
import { type Results, renderTable } from './results.ts'

const IDLE = 'fleet-idle'
const WRITES = 'fleet-writes'

/** The page and the picture that show how cost grows with databases and with changes. */
export interface Scale {
  readonly markdown: string
  readonly svg: string
}

/** From the newest full results of both fleets; undefined while one is missing. */
export function renderScale(all: readonly Results[]): Scale | undefined {
  const newest = (name: string): Results | undefined =>
    all.filter(({ size, benchmarks }) => size === 'full' && name in benchmarks).at(-1)
  const [idle, writes] = [newest(IDLE), newest(WRITES)]
  if (idle === undefined || writes === undefined) return undefined
  const charts = chartsOf(idle.benchmarks[IDLE]!.figures, writes.benchmarks[WRITES]!.figures)
  return { markdown: page(idle, writes), svg: renderCharts(charts) }
}

/** The values of one figure by the number of databases in its name; `pattern` has a group with that number. */
function series(label: string, figures: readonly Figure[], pattern: RegExp, shift = 0): Series {
  const points = figures.flatMap(({ name, value }) => {
    const count = pattern.exec(name)?.[1]
    return count === undefined ? [] : [[Number(count) + shift, value] as const]
  })
  return { label, points }
}

function chartsOf(idle: readonly Figure[], writes: readonly Figure[]): Chart[] {
  const both = (what: string): Series[] => [
    series('sqlstream', idle, new RegExp(`^(\\d+) idle databases: ${what}$`)),
    series('Litestream', idle, new RegExp(`^(\\d+) idle databases, Litestream: ${what}$`)),
  ]
  const across = (what: string): Series[] => [
    series('20 writes a second to one of them', writes, new RegExp(`among (\\d+) idle ones.*: ${what}$`), 1),
    series('one write a second to each', writes, new RegExp(`^(\\d+) databases, one write.*: ${what}$`)),
  ]
  return [
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
}

function page(idle: Results, writes: Results): string {
  const { machine } = idle
  return [
    '# What many databases cost',
    '',
    'Written by `npm run bench -- fleet-idle fleet-writes`. Cost grows with changes, not with databases: one that nobody writes is a small record in memory, without a connection, a descriptor, a timer or a request; see [the fleet](fleet.md).',
    '',
    '![Cost by the number of databases](scale.svg)',
    '',
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}, ${machine.fileSystem}; Node ${machine.node}. Idle: ${idle.date.slice(0, 10)}, commit ${idle.commit}; written: ${writes.date.slice(0, 10)}, commit ${writes.commit}.`,
    '',
    ...[idle.benchmarks[IDLE]!, writes.benchmarks[WRITES]!].flatMap((result) => [
      `## ${result.title}`,
      '',
      result.description,
      '',
      ...renderTable(result),
      '',
      ...result.notes.flatMap((note) => [note, '']),
    ]),
  ].join('\n')
}
