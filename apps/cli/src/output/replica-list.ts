import { formatTXID } from '@sqlstream/ltx'
import { type RestorePoint, SNAPSHOT_LEVEL } from '@sqlstream/replica'
import type { z } from 'zod'
import { spellDuration } from '../duration.ts'
import { proofText } from '../last-proof.ts'
import type { ReplicaListJSON } from '../replica-schema.ts'
import type { point } from '../schema-parts.ts'
import { formatTable } from './table.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

type PointJSON = z.infer<typeof point>

/** A restorable state as it appears in `--json` output. */
export function pointJSON({ txid, time }: RestorePoint): PointJSON {
  return { txid: formatTXID(txid), time: time.toISOString() }
}

/** A replica for people. */
export function listText(list: ReplicaListJSON): string {
  const { source, databaseId, created, head, levels, restorable, points } = list
  const lines = [
    `${source}: ${formatCount(list.files, 'file')}, ${formatBytes(list.bytes)}, up to TXID ${head}`,
    ...(databaseId === undefined ? [] : [`database ${databaseId}, replicated since ${created}`]),
    formatTable(
      [{ title: 'LEVEL' }, { title: 'FILES', align: 'right' }, { title: 'BYTES', align: 'right' }],
      levels.map(({ level, files, bytes }) => [levelName(level), String(files), formatBytes(bytes)]),
    ),
    restorable
      ? `can be restored to ${formatCount(restorable.states, 'state')}, from ${pointText(restorable.oldest)} to ${pointText(restorable.newest)}`
      : 'nothing can be restored: sqlstream verify tells what is missing',
  ]
  if (restorable && restorable.newest.txid !== head) {
    lines.push('the newest files do not connect: sqlstream verify tells what is missing')
  }
  lines.push(proofText(list.proof))
  if (points) lines.push(pointsText(points))
  return lines.join('\n')
}

function levelName(level: number): string {
  if (level === 0) return '0 captures'
  return level === SNAPSHOT_LEVEL ? `${level} snapshots` : String(level)
}

function pointText({ txid, time }: PointJSON): string {
  return `${time} (TXID ${txid})`
}

function pointsText({ exact, ages, newest }: NonNullable<ReplicaListJSON['points']>): string {
  const table = formatTable(
    [
      { title: 'UP TO AN AGE OF' },
      { title: 'STATES', align: 'right' },
      { title: 'MOSTLY EVERY', align: 'right' },
    ],
    ages.map(({ upToMs, states, medianStepMs }) => [
      upToMs === undefined ? 'older' : spellDuration(upToMs),
      String(states),
      medianStepMs === undefined ? '' : formatDuration(medianStepMs),
    ]),
  )
  return [
    table,
    ...(exact ? [] : ['older times are those at which the store received a file; --all reads them all']),
    ...newest.map(({ txid, time }) => `${time}  ${txid}`),
  ].join('\n')
}
