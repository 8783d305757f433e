import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report, Size } from './benchmark.ts'
import { BENCHMARKS } from './benchmarks.ts'
import type { Machine, Revision } from './machine.ts'

/** One benchmark in a results file. */
export interface Result extends Report {
  readonly title: string
  readonly description: string
  readonly seconds: number
}

/** What one run of `run.ts` writes. */
export interface Results extends Revision {
  readonly date: string
  readonly size: Size
  readonly machine: Machine
  readonly benchmarks: Readonly<Record<string, Result>>
}

/** Saves a run as `<date>-<commit>.json`. Returns the path. */
export function saveResults(folder: string, results: Results): string {
  mkdirSync(folder, { recursive: true })
  const day = results.date.slice(0, 10)
  const clock = results.date.slice(11, 16).replace(':', '')
  const path = join(folder, `${day}-${clock}-${results.commit}.json`)
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`)
  return path
}

/** All results in a folder, oldest first. */
export function loadResults(folder: string): Results[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Results)
    .sort((a, b) => (a.date < b.date ? -1 : 1))
}

/** A page for people: of each benchmark the newest results of full size, beside the first ones of other sources on the same processor. */
export function renderResults(all: readonly Results[]): string {
  const sections = Object.keys(BENCHMARKS).flatMap((name) => {
    const runs = all.filter((results) => results.size === 'full' && name in results.benchmarks)
    const newest = runs.at(-1)
    if (newest === undefined) return []
    const first = runs.find(
      ({ machine, commit }) => machine.cpu === newest.machine.cpu && commit !== newest.commit,
    )
    return [renderResult(name, newest, first)]
  })
  return [
    '# Results',
    '',
    'Written by `npm run bench`; how and why: [README](README.md). Ratios compare with something that ran in the same process or minute: they say more than the figures, which depend on the machine.',
    '',
    ...sections,
  ].join('\n')
}

function renderResult(name: string, results: Results, first: Results | undefined): string {
  const { machine } = results
  const result = results.benchmarks[name]!
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}, ${machine.fileSystem}`
  return [
    `## ${result.title} (\`${name}\`)`,
    '',
    result.description,
    '',
    `${whenAndWhat(results)}; ${where}; Node ${machine.node}, SQLite ${machine.sqlite}; load before ${machine.loadBefore}; ${Math.round(result.seconds)} s.`,
    ...(first === undefined
      ? []
      : ['', `First: ${whenAndWhat(first)}; load before ${first.machine.loadBefore}.`]),
    '',
    ...renderTable(result, first?.benchmarks[name]),
    '',
    ...result.notes.map((note) => `${note}\n`),
  ].join('\n')
}

function whenAndWhat({ date, commit, modified }: Results): string {
  return `${date.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}${modified ? ' with changes' : ''}`
}

/** The figures as a Markdown table, beside those of the same name in the first results, if there are any. */
export function renderTable({ figures }: Report, first?: Report): string[] {
  const rows = figures.map(({ name, value, unit, ratio, than, goal, met }) => {
    const before = first?.figures.find((figure) => figure.name === name && figure.unit === unit)
    const compared = ratio === undefined ? '' : `${digits(ratio)} × ${than}`
    const verdict = met === undefined ? '' : met ? 'met' : '**missed**'
    const was = before === undefined ? '' : `${digits(before.value)} ${unit}`
    return [name, `${digits(value)} ${unit}`, ...(first ? [was] : []), compared, goal ?? '', verdict]
  })
  return [
    `| figure | value |${first ? ' first |' : ''} ratio | goal | |`,
    `| --- | ---: |${first ? ' ---: |' : ''} --- | --- | --- |`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ]
}

/** Three digits that count. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(Math.abs(value) < 1 ? 2 : 3)))
}
