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

/** A page for people: of each benchmark the newest results of full size. */
export function renderResults(all: readonly Results[]): string {
  const sections = Object.keys(BENCHMARKS).flatMap((name) => {
    const newest = all.findLast((results) => results.size === 'full' && name in results.benchmarks)
    const result = newest?.benchmarks[name]
    return newest === undefined || result === undefined ? [] : [renderResult(name, newest, result)]
  })
  return [
    '# Results',
    '',
    'Written by `npm run bench`; how and why: [README](README.md). Ratios compare with something that ran in the same process or minute: they say more than the figures, which depend on the machine.',
    '',
    ...sections,
  ].join('\n')
}

function renderResult(name: string, results: Results, result: Result): string {
  const { machine } = results
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.system}, ${machine.fileSystem}`
  const what = `commit ${results.commit}${results.modified ? ' with changes' : ''}`
  return [
    `## ${result.title} (\`${name}\`)`,
    '',
    result.description,
    '',
    `${results.date.slice(0, 16).replace('T', ' ')} UTC, ${what}; ${where}; Node ${machine.node}, SQLite ${machine.sqlite}; load before ${machine.loadBefore}; ${Math.round(result.seconds)} s.`,
    '',
    ...renderTable(result),
    '',
    ...result.notes.map((note) => `${note}\n`),
  ].join('\n')
}

/** The figures as a Markdown table. */
export function renderTable({ figures }: Report): string[] {
  return [
    '| figure | value | ratio | goal | |',
    '| --- | ---: | --- | --- | --- |',
    ...figures.map(({ name, value, unit, ratio, than, goal, met }) => {
      const compared = ratio === undefined ? '' : `${digits(ratio)} × ${than}`
      const verdict = met === undefined ? '' : met ? 'met' : '**missed**'
      return `| ${name} | ${digits(value)} ${unit} | ${compared} | ${goal ?? ''} | ${verdict} |`
    }),
  ]
}

/** Three digits that count. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)))
}
