import { formatTXID, type TXID } from '@sqlstream/ltx'
import type { CloseReport, MemberState } from '@sqlstream/replica-core'
import { describeFailure } from '../failure.ts'
import type { HoldSummary } from '../metrics/hold-times.ts'
import type { ChangeJSON, InfoJSON, LiveStatusJSON, SyncJSON } from './api-schema.ts'
import type { DatabaseRow } from './database-row.ts'

export function syncJSON({ database, replica }: DatabaseRow, txid: TXID, milliseconds: number): SyncJSON {
  return { database, replica, txid: formatTXID(txid), milliseconds: Math.round(milliseconds * 10) / 10 }
}

/** @param report where the database is not open any more */
export function changeJSON(
  row: DatabaseRow,
  outcome: ChangeJSON['outcome'],
  report?: CloseReport,
): ChangeJSON {
  const { database, replica, state } = row
  const captured = report?.captured?.txid ?? row.captured
  const uploaded = report?.uploaded ?? row.uploaded
  return {
    database,
    replica,
    outcome,
    state,
    ...(captured !== undefined && { captured: formatTXID(captured) }),
    ...(uploaded !== undefined && { uploaded: formatTXID(uploaded) }),
    pendingFiles: report?.pendingFiles ?? row.pendingFiles,
  }
}

/** All databases of a process, those first that are behind for longest. */
export function liveStatusJSON(
  info: InfoJSON,
  rows: Iterable<DatabaseRow>,
  now: number,
  writeLock: HoldSummary,
): LiveStatusJSON {
  const sorted = [...rows].sort(byUrgency)
  const states: Record<MemberState, number> = {
    queued: 0,
    opening: 0,
    open: 0,
    resting: 0,
    failed: 0,
    fenced: 0,
    stopped: 0,
    gone: 0,
  }
  for (const { state } of sorted) states[state]++
  const since = sorted[0]?.unreplicatedSince
  return {
    process: info,
    states,
    pendingFiles: sorted.reduce((sum, { pendingFiles }) => sum + pendingFiles, 0),
    pendingBytes: sorted.reduce((sum, { pendingBytes }) => sum + pendingBytes, 0),
    ...behind(since, now),
    writeLock: {
      count: writeLock.count,
      p50Ms: hundredths(writeLock.p50Ms),
      p99Ms: hundredths(writeLock.p99Ms),
      maxMs: hundredths(writeLock.maxMs),
    },
    list: sorted.map((row) => rowJSON(row, now)),
  }
}

function hundredths(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

function rowJSON(row: DatabaseRow, now: number): LiveStatusJSON['list'][number] {
  const { database, replica, state, captured, uploaded, pendingFiles, pendingBytes, provenAt, lastError } =
    row
  return {
    database,
    replica,
    state,
    ...(captured !== undefined && { captured: formatTXID(captured) }),
    ...(uploaded !== undefined && { uploaded: formatTXID(uploaded) }),
    pendingFiles,
    pendingBytes,
    ...behind(row.unreplicatedSince, now),
    ...(provenAt !== undefined && { provenAt: new Date(provenAt).toISOString() }),
    ...(lastError && { error: errorJSON(lastError) }),
  }
}

/** A clock that was set back makes no lag below nothing. */
function behind(since: number | undefined, now: number): { unreplicatedSince?: string; lagMs: number } {
  if (since === undefined) return { lagMs: 0 }
  return { unreplicatedSince: new Date(since).toISOString(), lagMs: Math.max(0, Math.round(now - since)) }
}

function errorJSON(cause: Error): { message: string; code: string; hint?: string } {
  const { exit: _, ...error } = describeFailure(cause)
  return error
}

function byUrgency(a: DatabaseRow, b: DatabaseRow): number {
  const [since, other] = [a.unreplicatedSince ?? Infinity, b.unreplicatedSince ?? Infinity]
  return since === other ? (a.database < b.database ? -1 : 1) : since - other
}
