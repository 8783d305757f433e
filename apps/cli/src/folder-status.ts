import { setImmediate } from 'node:timers/promises'
import { formatTXID } from '@sqlstream/ltx'
import { type FindOptions, findDatabases, readStatus, type StatusOptions } from '@sqlstream/replica-core'
import { describeFailure } from './failure.ts'
import { formatTable } from './output/table.ts'
import { formatBytes, formatCount } from './output/units.ts'
import type { FolderStatusJSON } from './status-schema.ts'

const AT_ONCE = 100
const MOST_ROWS = 50

type Row = FolderStatusJSON['list'][number]

/** Reads the local states of all databases in a folder; opens none of the databases. */
export async function readFolderStatus(folder: string, options: FindOptions): Promise<FolderStatusJSON> {
  const { databases, problems } = await findDatabases(folder, options)
  const list: Row[] = []
  const logs: NonNullable<StatusOptions['logs']> = new Map()
  for (const [i, { path, relpath }] of databases.entries()) {
    // The reading itself does not give way.
    if (i % AT_ONCE === 0) await setImmediate(undefined, { signal: options.signal })
    list.push(await rowOf(path, relpath, logs))
  }
  list.sort(byUrgency)
  const since = list.find(({ pendingSince }) => pendingSince !== undefined)?.pendingSince
  return {
    folder,
    databases: list.length,
    running: list.filter(({ running }) => running).length,
    resting: list.filter(({ resting }) => resting).length,
    givenUp: list.filter(({ givenUp }) => givenUp).length,
    captured: list.filter(({ captured }) => captured !== undefined).length,
    pending: list.filter(({ pendingFiles }) => pendingFiles > 0).length,
    unreadable: list.filter((row) => row.error !== undefined).length,
    pendingFiles: list.reduce((sum, row) => sum + row.pendingFiles, 0),
    pendingBytes: list.reduce((sum, row) => sum + row.pendingBytes, 0),
    ...(since === undefined ? {} : { pendingSince: since }),
    problems: problems.map(({ path, error: { message } }) => ({ path, message })),
    list,
  }
}

/** The same for people; of thousands the first ones, which need attention most. */
export function folderStatusLines(status: FolderStatusJSON): string[] {
  const { databases, running, resting, givenUp, captured, list } = status
  const { pending, pendingFiles, pendingBytes, pendingSince } = status
  const shown = list.slice(0, MOST_ROWS)
  const since = pendingSince === undefined ? '' : `, the oldest since ${pendingSince}`
  return [
    `${status.folder}: ${formatCount(databases, 'database')}, ${running} being replicated now, ${resting} resting, ${captured} captured from here`,
    pending === 0
      ? '  nothing that was captured waits for upload'
      : `  ${formatCount(pendingFiles, 'file')} (${formatBytes(pendingBytes)}) of ${formatCount(pending, 'database')} wait for upload${since}`,
    ...(givenUp === 0
      ? []
      : [
          `warning: captures of ${formatCount(givenUp, 'database')} were given up for want of disk space: the replica lacks them until all pages were compared`,
        ]),
    ...status.problems.map(({ path, message }) => `warning: ${path}: ${message}`),
    ...(shown.length === 0 ? [] : [formatTable(COLUMNS, shown.map(cellsOf))]),
    ...(list.length > shown.length ? [`and ${list.length - shown.length} more; --json has them all`] : []),
  ]
}

const COLUMNS = [
  { title: 'database' },
  { title: 'state' },
  { title: 'TXID' },
  { title: 'of' },
  { title: 'files', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'waiting since' },
] as const

function cellsOf(row: Row): string[] {
  return [
    row.database,
    row.givenUp ? `${stateOf(row)}, given up` : stateOf(row),
    row.captured ?? '-',
    row.timestamp ?? '-',
    String(row.pendingFiles),
    formatBytes(row.pendingBytes),
    row.pendingSince ?? '-',
  ]
}

function stateOf({ error, running, resting, captured }: Row): string {
  if (error !== undefined) return `unreadable: ${error.code}`
  if (running) return 'running'
  if (resting) return 'resting'
  return captured === undefined ? 'never' : 'stopped'
}

async function rowOf(path: string, relpath: string, logs: NonNullable<StatusOptions['logs']>): Promise<Row> {
  const none = { database: relpath, running: false, pendingFiles: 0, pendingBytes: 0 }
  try {
    const local = await readStatus(path, { logs })
    if (local === undefined) return none
    const { captured, timestamp, pendingFiles, pendingBytes, pendingSince, running, resting, givenUp } = local
    return {
      database: relpath,
      running,
      ...(resting && { resting }),
      ...(givenUp && { givenUp }),
      ...(captured === undefined ? {} : { captured: formatTXID(captured.txid) }),
      ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp).toISOString() }),
      pendingFiles,
      pendingBytes,
      ...(pendingSince === undefined ? {} : { pendingSince: new Date(pendingSince).toISOString() }),
    }
  } catch (error) {
    const { exit: _, ...rest } = describeFailure(error)
    return { ...none, error: rest }
  }
}

/** What was given up, what waits for longest, what cannot be read, what was never captured, the others. */
function byUrgency(a: Row, b: Row): number {
  return (
    rank(a) - rank(b) || order(a.pendingSince ?? '', b.pendingSince ?? '') || order(a.database, b.database)
  )
}

function rank({ givenUp, pendingFiles, error, captured }: Row): number {
  if (givenUp) return 0
  if (pendingFiles > 0) return 1
  if (error !== undefined) return 2
  return captured === undefined ? 3 : 4
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
