import { expect, test } from 'vitest'
import type { DatabaseRow } from '../src/control/database-row.ts'
import { healthOf, type ProcessPhase } from '../src/metrics/health.ts'

const NOW = 1_000_000
const WITHIN = { now: NOW, maxLagMs: 60_000 }

function row(state: DatabaseRow['state'], lagMs?: number): DatabaseRow {
  const since = lagMs === undefined ? {} : { unreplicatedSince: NOW - lagMs }
  return { database: '/a', replica: 'r', state, pendingFiles: 0, pendingBytes: 0, ...since }
}

test.each<[string, ProcessPhase, DatabaseRow[], string]>([
  ['nothing to replicate', 'running', [], 'ok'],
  ['all is in the replicas', 'running', [row('open'), row('resting')], 'ok'],
  ['a commit is on its way', 'running', [row('open', 60_000)], 'ok'],
  ['a commit waits for too long', 'running', [row('open'), row('open', 60_001)], 'lagging'],
  ['one that was found waits for its turn', 'running', [row('queued', 10)], 'ok'],
  ['one that was found is never opened', 'running', [row('opening', 70_000)], 'lagging'],
  ['one that is awaited has not come', 'running', [row('queued')], 'ok'],
  ['one of a folder is gone', 'running', [row('gone')], 'ok'],
  ['one cannot be replicated', 'running', [row('open'), row('failed', 5)], 'failed'],
  ['one was stopped by its operator', 'running', [row('stopped', 5)], 'stopped'],
  ['one that failed and one that was stopped', 'running', [row('stopped', 5), row('failed', 5)], 'failed'],
  ['another writer has one', 'running', [row('failed', 5), row('fenced', 5)], 'fenced'],
  ['it is restored', 'restoring', [row('open')], 'restoring'],
  ['its lease is waited for', 'opening', [row('opening', 70_000)], 'opening'],
  ['another writer has one before all are there', 'restoring', [row('fenced', 1)], 'fenced'],
  ['it ends', 'stopping', [row('open')], 'stopping'],
  ['another writer has one at the end', 'stopping', [row('fenced', 1)], 'fenced'],
])('%s', (_, phase, rows, status) => {
  expect(healthOf(phase, rows, WITHIN)).toMatchObject({ status, databases: rows.length })
})

test('the lag is that of the worst, and a clock that was set back makes none below nothing', () => {
  const rows = [row('open', 1500), row('open', 2500), row('open', -9000), row('open')]
  expect(healthOf('running', rows, WITHIN).lagSeconds).toBe(2.5)
  expect(healthOf('running', [row('open', -9000)], WITHIN).lagSeconds).toBe(0)
})
