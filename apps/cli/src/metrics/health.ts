import type { DatabaseRow } from '../control/database-row.ts'
import type { HealthJSON } from './health-schema.ts'

/** What a process that replicates is about, as a whole. */
export type ProcessPhase = 'restoring' | 'opening' | 'running' | 'stopping'

/** A commit that a replica lacks for longer makes a process unhealthy, unless somebody asks for another bound. */
export const DEFAULT_MAX_LAG_MS = 300_000

/**
 * Whether every database is replicated, and if not, what is worst.
 * @param now ms since the epoch
 */
export function healthOf(
  phase: ProcessPhase,
  rows: readonly DatabaseRow[],
  { now, maxLagMs }: { readonly now: number; readonly maxLagMs: number },
): HealthJSON {
  const lags = rows.map(({ unreplicatedSince: since }) => (since === undefined ? 0 : now - since))
  const lag = Math.max(0, ...lags)
  return {
    status: statusOf(phase, rows, lag > maxLagMs),
    databases: rows.length,
    lagSeconds: Math.round(lag) / 1000,
  }
}

function statusOf(
  phase: ProcessPhase,
  rows: readonly DatabaseRow[],
  isLagging: boolean,
): HealthJSON['status'] {
  // Another writer is worse than anything else that may be said at the same time.
  if (rows.some(({ state }) => state === 'fenced')) return 'fenced'
  if (phase !== 'running') return phase
  if (rows.some(({ state }) => state === 'failed')) return 'failed'
  if (rows.some(({ state }) => state === 'stopped')) return 'stopped'
  return isLagging ? 'lagging' : 'ok'
}
