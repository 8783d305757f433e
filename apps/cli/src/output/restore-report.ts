import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import type { RestorePlan, RestoreResult, RestoreTarget } from '@sqlstream/replica'
import type { RestoredJSON, RestorePlanJSON } from '../restore-schema.ts'
import { fileJSON } from './json.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** A plan as it appears in `--json` output. */
export function restorePlanJSON(
  plan: RestorePlan,
  where: Pick<RestorePlanJSON, 'database' | 'source'>,
  timestamp: Date | undefined,
): RestorePlanJSON {
  return {
    dryRun: true,
    ...where,
    txid: formatTXID(plan.txid),
    ...(timestamp === undefined ? {} : { timestamp: timestamp.toISOString() }),
    bytesToRead: bytesToRead(plan),
    files: plan.files.map(fileJSON),
  }
}

/** The plan for people. */
export function restorePlanLines(json: RestorePlanJSON, instant: string | undefined): string[] {
  const files = `${formatCount(json.files.length, 'file')}, ${formatBytes(json.bytesToRead)}`
  return [
    `would restore TXID ${json.txid} to ${json.database} from ${files}`,
    ...(instant === undefined ? [] : [instant]),
    ...json.files.map((file) => `  ${file.level}/${file.name}  ${formatBytes(file.size)}`),
  ]
}

/** A result as it appears in `--json` output. */
export function restoredJSON(
  plan: RestorePlan,
  result: RestoreResult,
  run: Pick<RestoredJSON, 'database' | 'source' | 'check' | 'milliseconds' | 'kept'>,
): RestoredJSON {
  return {
    dryRun: false,
    txid: formatTXID(result.pos.txid),
    timestamp: result.timestamp.toISOString(),
    postApplyChecksum: formatChecksum(result.pos.postApplyChecksum),
    proven: result.proven,
    pageSize: result.pageSize,
    pages: result.commit,
    bytes: result.commit * result.pageSize,
    bytesRead: result.bytesRead,
    pagesKept: result.pagesKept,
    files: plan.files.map(fileJSON),
    ...run,
  }
}

/** The result for people. */
export function restoredLines(json: RestoredJSON, instant: string): string[] {
  const size = `${formatBytes(json.bytes)} from ${formatCount(json.files.length, 'file')}`
  const kept = `${json.pagesKept} of ${formatCount(json.pages, 'page')} were there already`
  const proof = json.proven
    ? `database checksum ${json.postApplyChecksum} equals the one that was captured`
    : 'every file checksum is right (the files carry no chain proof)'
  const check = json.check === 'none' ? '' : `; SQLite ${json.check} check passed`
  return [
    `restored ${json.database} at TXID ${json.txid}: ${size} in ${formatDuration(json.milliseconds)}`,
    ...(json.pagesKept > 0 ? [kept] : []),
    instant,
    `${proof}${check}`,
    ...(json.kept === undefined ? [] : [keptLine(json.kept)]),
  ]
}

/** Says where transactions are that no replica has. */
export function keptLine(folder: string): string {
  return `captured here before and never uploaded: kept in ${folder}`
}

/** People who ask for an instant get the last state before it; this says how far before. */
export function instantLine(target: RestoreTarget, timestamp: Date): string {
  const before =
    target.kind === 'timestamp'
      ? `, ${formatDuration(target.timestamp.getTime() - timestamp.getTime())} before the time asked for`
      : ''
  return `state of ${timestamp.toISOString()}${before}`
}

/** Bytes of the files of a plan. */
export function bytesToRead(plan: RestorePlan): number {
  return plan.files.reduce((bytes, file) => bytes + file.size, 0)
}
