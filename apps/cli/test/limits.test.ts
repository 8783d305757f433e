import { Budgets } from '@sqlstream/replica-core'
import { TempFolder } from '@sqlstream/testkit'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config/parse-config.ts'
import { budgetsOf, limitsOf, overBudgetJSON, overBudgetLine } from '../src/limits.ts'
import { HoldTimes } from '../src/metrics/hold-times.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'

const NONE = {
  'max-spool': undefined,
  'disk-reserve': undefined,
  'max-uploads': undefined,
  'max-merges': undefined,
  'max-requests-per-second': undefined,
  'monthly-requests': undefined,
}
const PLACES = { variables: {}, folder: '/f', cwd: '/f', home: '/h' }

describe('limits', () => {
  test('of the configuration are in bytes, and flags go before them', () => {
    const text = `
limits:
  spool: 2GB
  diskReserve: 1MiB
  uploads: 7
  merges: 2
  uploadMemory: 64MiB
  requestsPerSecond: 50
  monthlyRequests: 1000000
databases:
  - { path: a.db, url: /backup }
`
    const { config, problems } = parseConfig(text, PLACES)
    expect(problems).toEqual([])
    expect(config?.limits).toEqual({
      spoolBytes: 2e9,
      diskReserveBytes: 2 ** 20,
      uploads: 7,
      merges: 2,
      uploadMemoryBytes: 64 * 2 ** 20,
      requestsPerSecond: 50,
      monthlyRequests: 1_000_000,
    })
    const flags = { ...NONE, 'max-spool': '5MB', 'max-uploads': 3 }
    expect(limitsOf(flags, config?.limits)).toEqual({ ...config?.limits, spoolBytes: 5e6, uploads: 3 })
    expect(limitsOf(NONE)).toEqual({})
    expect(budgetsOf(limitsOf(flags, config?.limits), () => undefined)).toBeInstanceOf(Budgets)
  })

  test.each([
    ['spool: 2', 'limits.spool'],
    ['spool: 0B', 'limits.spool'],
    ['uploads: 0', 'limits.uploads'],
    ['requestsPerSecond: 1.5', 'limits.requestsPerSecond'],
    ['upload: 3', 'limits.upload'],
  ])('%s is an error that names its key', (line, key) => {
    const text = `limits:\n  ${line}\ndatabases:\n  - { path: a.db, url: /backup }\n`
    const { problems } = parseConfig(text, PLACES)
    expect(problems.map((problem) => problem.key)).toEqual([key])
  })

  test('a month over the budget is told, with what most of it is', () => {
    const estimate = { perMonth: 1_500_000, operation: 'put', share: 0.734 }
    const limits = { monthlyRequests: 1_000_000 }
    expect(overBudgetLine(estimate, limits)).toMatch(
      /1500000 requests \(73 % of them put\).*budget is 1000000/,
    )
    const line = overBudgetJSON(estimate, limits)
    expect(SCHEMAS['replicate-event'].parse(JSON.parse(JSON.stringify(line)))).toMatchObject({
      type: 'request-budget',
      budget: 1_000_000,
    })
  })

  test('replicate takes the flags, and refuses sizes that are none', async () => {
    using folder = new TempFolder('limits')
    using app = new App(folder.join('app.db'))
    app.commit(5)
    const words = ['replicate', app.path, folder.join('backup'), '--once', '--no-socket']
    const limits = [
      '--max-spool',
      '100MB',
      '--disk-reserve',
      '1MB',
      '--max-uploads',
      '2',
      '--max-merges',
      '1',
    ]
    const requests = ['--max-requests-per-second', '500', '--monthly-requests', '1000']
    const done = await runCLI([...words, ...limits, ...requests])
    expect(done.stderr).toBe('')
    expect(done.status).toBe(0)
    await runCLI(['restore', folder.join('backup'), '-o', folder.join('copy.db')])
    expect(contents(folder.join('copy.db'))).toEqual({ ...contents(app.path), problems: 'ok' })
    const refused = await runCLI([...words, '--max-spool', '5 potatoes'])
    expect(refused.status).toBe(2)
    expect(refused.stderr).toMatch(/not a size: 5 potatoes/)
  })
})

test('times of the write lock: quantiles are right to a tenth, and the longest is exact', () => {
  const times = new HoldTimes()
  expect(times.summary).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 })
  for (let i = 1; i <= 1000; i++) times.observe(i / 10)
  const { count, p50Ms, p99Ms, maxMs } = times.summary
  expect(count).toBe(1000)
  expect(p50Ms).toBeGreaterThanOrEqual(50)
  expect(p50Ms).toBeLessThanOrEqual(55.1)
  expect(p99Ms).toBeGreaterThanOrEqual(99)
  expect(p99Ms).toBeLessThanOrEqual(100)
  expect(maxMs).toBe(100)
  for (const odd of [0, 1e-9, 1e9]) times.observe(odd)
  expect(times.summary.maxMs).toBe(1e9)
})
