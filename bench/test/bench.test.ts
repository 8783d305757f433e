import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { BENCHMARKS } from '../src/benchmarks.ts'
import { loadResults, type Results, renderResults, saveResults } from '../src/results.ts'
import { renderScale } from '../src/scale.ts'
import { median, quantile } from '../src/statistics.ts'

const bench = fileURLToPath(new URL('..', import.meta.url))

function run(...args: string[]): string {
  return execFileSync(process.execPath, [`${bench}/run.ts`, ...args], { encoding: 'utf8', stdio: 'pipe' })
}

const machine: Results['machine'] = {
  cpu: 'a processor',
  cores: 2,
  memoryGB: 8,
  system: 'Linux',
  fileSystem: 'ext4',
  node: 'v24.0.0',
  sqlite: '3.53.2',
  loadBefore: 0,
}

function resultsOf(date: string, value: number, size: Results['size'] = 'full'): Results {
  const figure = {
    name: 'speed',
    value,
    unit: 'MB/s',
    ratio: 0.5,
    than: 'a copy',
    goal: '≥ 1',
    met: value >= 1,
  }
  const codec = {
    title: 'Formats',
    description: 'In memory.',
    seconds: 1,
    figures: [figure],
    notes: ['A note.'],
  }
  return { date, commit: 'abc123456', modified: false, size, machine, benchmarks: { codec } }
}

describe('the benchmarks', () => {
  it.each(Object.keys(BENCHMARKS))('%s runs to its end and prints figures', (name) => {
    using folder = new TempFolder('bench')
    const output = run(name, '--tiny', '--folder', folder.path)
    expect(output).toContain(`(${name})`)
    const rows = output.split('\n').filter((line) => /^\| .* \| -?[\d.,]+ \S+ \|/.test(line))
    expect(rows.length).toBeGreaterThan(2)
    expect(output).not.toMatch(/NaN|Infinity/)
  })

  it('refuses a name that it does not know', () => {
    expect(() => run('speed')).toThrow(/There is no benchmark speed/)
  })
})

describe('the page of results', () => {
  it('shows of each benchmark the newest run of full size', () => {
    using folder = new TempFolder('bench')
    saveResults(folder.path, resultsOf('2026-01-02T00:00:00.000Z', 2))
    saveResults(folder.path, resultsOf('2026-01-01T00:00:00.000Z', 1))
    saveResults(folder.path, resultsOf('2026-01-03T00:00:00.000Z', 3, 'quick'))
    const page = renderResults(loadResults(folder.path))
    expect(page).toContain('| speed | 2 MB/s | 0.5 × a copy | ≥ 1 | met |')
    expect(page).not.toContain('| speed | 1 MB/s')
    expect(page).not.toContain('| speed | 3 MB/s')
  })

  it('shows beside it the first run of full size of other sources on the same processor', () => {
    const other = { ...resultsOf('2026-01-01T00:00:00.000Z', 7), machine: { ...machine, cpu: 'another' } }
    const first = { ...resultsOf('2026-01-02T00:00:00.000Z', 3), commit: 'def456789' }
    const all = [
      other,
      first,
      resultsOf('2026-01-03T00:00:00.000Z', 4),
      resultsOf('2026-01-04T00:00:00.000Z', 5),
    ]
    const page = renderResults(all)
    expect(page).toContain('First: 2026-01-02 00:00 UTC, commit def456789')
    expect(page).toContain('| figure | value | first | ratio | goal | |')
    expect(page).toContain('| speed | 5 MB/s | 3 MB/s | 0.5 × a copy | ≥ 1 | met |')
    expect(renderResults([other, first])).not.toContain('First:')
    expect(renderResults(all.slice(2))).not.toContain('First:')
  })

  it('says loudly when a goal was missed', () => {
    const page = renderResults([resultsOf('2026-01-01T00:00:00.000Z', 0.25)])
    expect(page).toContain('| speed | 0.25 MB/s | 0.5 × a copy | ≥ 1 | **missed** |')
  })

  it('is the one that belongs to the saved results', () => {
    expect(readFileSync(`${bench}/RESULTS.md`, 'utf8')).toBe(renderResults(loadResults(`${bench}/results`)))
  })
})

describe('the statistics', () => {
  it('take quantiles of the sorted sample and leave the sample as it was', () => {
    const sample = [5, 1, 4, 2, 3]
    expect([quantile(sample, 0), median(sample), quantile(sample, 0.99), quantile(sample, 1)]).toEqual([
      1, 3, 4, 5,
    ])
    expect(sample).toEqual([5, 1, 4, 2, 3])
  })
})

describe('the page about many databases', () => {
  const fleet = (name: string, figures: readonly (readonly [string, number])[]): Results => ({
    ...resultsOf('2026-11-01T10:00:00.000Z', 1),
    benchmarks: {
      [name]: {
        title: name,
        description: 'Of databases.',
        seconds: 1,
        figures: figures.map(([figure, value]) => ({ name: figure, value, unit: 'MB' })),
        notes: [],
      },
    },
  })
  const idle = fleet('fleet-idle', [
    ['10 idle databases: memory', 90],
    ['10000 idle databases: memory', 200],
    ['10 idle databases, Litestream: memory', 40],
    ['10 idle databases: processor time', 0],
    ['10000 idle databases: processor time', 0.5],
  ])
  const writes = fleet('fleet-writes', [
    ['10 databases, one write a second each: processor time', 5],
    ['one database among 9 idle ones, 20 writes a second: processor time', 3],
    ['one database among 9 idle ones, 20 writes a second: commit to replica, p99', 900],
  ])

  it('is written of what was measured', () => {
    expect(renderScale([resultsOf('2026-11-01T10:00:00.000Z', 1)])).toBeUndefined()
    expect(renderScale([idle])!.svg).not.toMatch(/NaN|Infinity|undefined|Written/)
    const { markdown, svg } = renderScale([idle, writes])!
    expect(markdown).toContain('| 10000 idle databases: memory | 200 MB |')
    expect(markdown).toContain('](scale.svg)')
    expect(svg).toContain('Litestream')
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })

  it('draws each value at its place: ten times as much is as far everywhere', () => {
    const { svg } = renderScale([idle, writes])!
    const memory = svg.split('<g ').find((part) => part.includes('>Idle: memory, MB<'))!
    const [first, second] = [...memory.matchAll(/class="s0" cx="([\d.]+)" cy="([\d.]+)" r="3"/g)].map(
      ([, x, y]) => ({ x: Number(x), y: Number(y) }),
    )
    expect(second!.x - first!.x).toBeCloseTo(400 - 56 - 24)
    expect(first!.y).toBeGreaterThan(second!.y)
  })
})
