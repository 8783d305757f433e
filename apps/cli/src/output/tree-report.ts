import type { TreeEntryJSON, TreeJSON } from '../restore-schema.ts'
import { formatTable } from './table.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** What became of a tree, for people: a line for each database, failures last. */
export function treeText({ dryRun, source, folder, failed, databases, milliseconds }: TreeJSON): string {
  const good = databases.length - failed
  const what = dryRun
    ? `would restore ${formatCount(good, 'database')}`
    : `restored ${formatCount(good, 'database')}`
  const failures = failed === 0 ? '' : `; ${failed} failed`
  return [
    formatTable(
      [{ title: 'DATABASE' }, { title: 'TXID' }, { title: 'STATE OF' }, { title: 'BYTES', align: 'right' }],
      databases.filter(({ ok }) => ok).map(row),
    ),
    ...databases.filter(({ ok }) => !ok).flatMap(failureText),
    `${what} of ${source} to ${folder} in ${formatDuration(milliseconds)}${failures}`,
  ].join('\n')
}

function row({ database, txid, timestamp, bytes, bytesToRead }: TreeEntryJSON): string[] {
  return [database, txid ?? '', timestamp ?? '', formatBytes(bytes ?? bytesToRead ?? 0)]
}

function failureText({ database, error }: TreeEntryJSON): string[] {
  if (error === undefined) return []
  const hint = error.hint === undefined ? [] : [`  hint: ${error.hint}`]
  return [`failed: ${database}: ${error.message} (${error.code})`, ...hint]
}
