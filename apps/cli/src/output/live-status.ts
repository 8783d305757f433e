import type { LiveStatusJSON } from '../control/api-schema.ts'
import { formatTable } from './table.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

const MOST_ROWS = 50

const COLUMNS = [
  { title: 'database' },
  { title: 'state' },
  { title: 'in the replica' },
  { title: 'behind', align: 'right' },
  { title: 'waiting', align: 'right' },
  { title: 'proven' },
] as const

/** What a running process knows of its databases; of thousands the first ones, which need attention most. */
export function liveStatusLines({ process, states, list, ...sum }: LiveStatusJSON): string[] {
  const shown = list.slice(0, MOST_ROWS)
  const all = Object.entries(states)
    .filter(([, databases]) => databases > 0)
    .map(([state, databases]) => `${databases} ${state}`)
  const waiting = `${formatCount(sum.pendingFiles, 'file')} (${formatBytes(sum.pendingBytes)}) wait for upload`
  return [
    `process ${process.pid}, since ${process.startedAt}: ${formatCount(list.length, 'database')}${all.length === 0 ? '' : `, ${all.join(', ')}`}`,
    sum.unreplicatedSince === undefined
      ? '  everything that is committed is in the replicas'
      : `  up to ${formatDuration(sum.lagMs)} behind; ${waiting}`,
    ...(sum.writeLock.count === 0
      ? []
      : [
          `  writers were kept out ${formatCount(sum.writeLock.count, 'time')}: half of them up to ${sum.writeLock.p50Ms} ms, 99 % up to ${sum.writeLock.p99Ms} ms, the longest ${sum.writeLock.maxMs} ms`,
        ]),
    ...(shown.length === 0 ? [] : [formatTable(COLUMNS, shown.map(cellsOf))]),
    ...(list.length > shown.length ? [`and ${list.length - shown.length} more; --json has them all`] : []),
  ]
}

function cellsOf(row: LiveStatusJSON['list'][number]): string[] {
  return [
    row.database,
    row.error === undefined ? row.state : `${row.state}: ${row.error.code}`,
    row.uploaded ?? '-',
    row.unreplicatedSince === undefined ? '-' : formatDuration(row.lagMs),
    row.pendingFiles === 0 ? '-' : `${row.pendingFiles} (${formatBytes(row.pendingBytes)})`,
    row.provenAt ?? '-',
  ]
}
