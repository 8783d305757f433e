import { readFileSync } from 'node:fs'
import { toTXID } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import type { DatabaseRow } from '../src/control/database-row.ts'
import { Metrics } from '../src/metrics/metrics.ts'
import { standing } from '../src/metrics/standing.ts'
import { parseExposition } from './support/parse-exposition.ts'

const NOW = 1_000_000

function row(database: string, rest: Partial<DatabaseRow> = {}): DatabaseRow {
  return { database, replica: 'r', state: 'open', pendingFiles: 0, pendingBytes: 0, ...rest }
}

test('docs/metrics.md has every metric, and no other', () => {
  const metrics = new Metrics({ version: '1', perDatabase: true })
  metrics.activity.openFailed(new Error('x'))
  metrics.activity.operation({ operation: 'put', bytes: 1, keys: 1, milliseconds: 1, error: new Error('x') })
  metrics.activity.event({ type: 'checkpointed', mode: 'passive', frames: 1, barrierMs: 3, complete: true })
  const txid = toTXID(1n)
  const known = { captured: txid, uploaded: txid, unreplicatedSince: 1, provenAt: 1 }
  const families = parseExposition(metrics.text([row('/a', known), row('/b')]))
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  const documented = rows.flatMap((line) => {
    const [, names = ''] = line.split('|')
    return [...names.matchAll(/`([a-z_]+)/g)].map((match) => match[1])
  })
  expect(documented.sort()).toEqual([...families.keys()].sort())
})

test('quantiles are those of databases: one of a hundred that lags shows at the top alone', () => {
  const rows = Array.from({ length: 100 }, (_, i) => row(`/${i}`))
  rows[42] = row('/42', { unreplicatedSince: NOW - 90_000 })
  const lag = standing(rows, NOW).find(({ name }) => name === 'sqlstream_lag_seconds')
  expect(lag?.samples.map(({ value }) => value)).toEqual([0, 0, 0, 90])
})

test('a clock that was set back makes no lag below nothing, and no database is no lag', () => {
  const lagOf = (rows: readonly DatabaseRow[]): number[] =>
    standing(rows, NOW)
      .find(({ name }) => name === 'sqlstream_lag_seconds')
      ?.samples.map(({ value }) => value) ?? []
  expect(lagOf([row('/a', { unreplicatedSince: NOW + 5000 })])).toEqual([0, 0, 0, 0])
  expect(lagOf([])).toEqual([0, 0, 0, 0])
})
