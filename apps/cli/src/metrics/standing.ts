import type { MemberState } from '@sqlstream/replica-core'
import type { DatabaseRow } from '../control/database-row.ts'
import type { Family, Sample } from './exposition.ts'

const STATES: readonly MemberState[] = [
  'queued',
  'opening',
  'open',
  'resting',
  'failed',
  'fenced',
  'stopped',
  'gone',
]
const QUANTILES = [0.5, 0.9, 0.99, 1]

/** How all databases stand at an instant, added up. @param now ms since the epoch */
export function standing(rows: readonly DatabaseRow[], now: number): Family[] {
  const lags = rows.map((row) => lagSeconds(row, now)).sort((a, b) => a - b)
  const since = rows.flatMap(({ unreplicatedSince: at }) => (at === undefined ? [] : [at]))
  const proven = rows.flatMap(({ provenAt }) => (provenAt === undefined ? [] : [provenAt]))
  return [
    gauge(
      'databases',
      'Databases by state.',
      STATES.map((state) => ({
        labels: { state },
        value: rows.filter((row) => row.state === state).length,
      })),
    ),
    gauge('databases_lagging', 'Databases whose replica lacks something.', [{ value: since.length }]),
    gauge(
      'lag_seconds',
      'Age of the oldest commit that a replica lacks, 0 where it lacks none; over all databases.',
      QUANTILES.map((quantile) => ({
        labels: { quantile: String(quantile) },
        value: lags[Math.max(0, Math.ceil(quantile * lags.length) - 1)] ?? 0,
      })),
    ),
    gauge(
      'oldest_unreplicated_commit_timestamp_seconds',
      'When the oldest commit that a replica lacks was first seen; absent when none lacks any.',
      extreme(since, Math.min),
    ),
    gauge('spool_files', 'Captured files that wait for their upload.', [
      { value: sum(rows, (row) => row.pendingFiles) },
    ]),
    gauge('spool_bytes', 'Bytes of those files.', [{ value: sum(rows, (row) => row.pendingBytes) }]),
    gauge(
      'oldest_proven_restore_timestamp_seconds',
      'When the database whose proof is oldest was last proven restorable; absent without a proof.',
      extreme(proven, Math.min),
    ),
    gauge(
      'newest_proven_restore_timestamp_seconds',
      'When a database was last proven restorable; absent without a proof.',
      extreme(proven, Math.max),
    ),
    gauge('databases_unproven', 'Databases of which no proof is known.', [
      { value: rows.length - proven.length },
    ]),
  ]
}

/** How each database stands. */
export function standingOfEach(rows: readonly DatabaseRow[], now: number): Family[] {
  const each = (value: (row: DatabaseRow) => number | undefined): Sample[] =>
    rows.flatMap((row) => {
      const found = value(row)
      return found === undefined ? [] : [{ labels: { database: row.database }, value: found }]
    })
  return [
    gauge(
      'database_state',
      'State of a database: 1 for the one that it is in.',
      rows.map(({ database, state }) => ({ labels: { database, state }, value: 1 })),
    ),
    gauge(
      'database_lag_seconds',
      'Age of the oldest commit that its replica lacks, 0 where it lacks none.',
      each((row) => lagSeconds(row, now)),
    ),
    gauge(
      'database_spool_bytes',
      'Bytes of captured files that wait for their upload.',
      each((row) => row.pendingBytes),
    ),
    gauge(
      'database_captured_txid',
      'The last transaction that was captured.',
      each(({ captured }) => captured && Number(captured)),
    ),
    gauge(
      'database_uploaded_txid',
      'Everything up to this transaction is in the replica.',
      each(({ uploaded }) => uploaded && Number(uploaded)),
    ),
    gauge(
      'database_proven_restore_timestamp_seconds',
      'When its newest state was last proven restorable.',
      each(({ provenAt }) => provenAt && provenAt / 1000),
    ),
  ]
}

/** A clock that was set back makes no lag below nothing. */
function lagSeconds({ unreplicatedSince }: DatabaseRow, now: number): number {
  return unreplicatedSince === undefined ? 0 : Math.max(0, now - unreplicatedSince) / 1000
}

function extreme(times: readonly number[], choose: (a: number, b: number) => number): Sample[] {
  return times.length === 0 ? [] : [{ value: times.reduce((a, b) => choose(a, b)) / 1000 }]
}

function sum(rows: readonly DatabaseRow[], value: (row: DatabaseRow) => number): number {
  return rows.reduce((total, row) => total + value(row), 0)
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `sqlstream_${name}`, type: 'gauge', help, samples }
}
