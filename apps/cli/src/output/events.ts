import { formatChecksum, formatFilename, formatTXID, type Pos } from '@sqlstream/ltx'
import { SNAPSHOT_LEVEL } from '@sqlstream/replica'
import { type CloseReport, isComplete, type PrimaryEvent } from '@sqlstream/replica-core'
import type { ConfigNote } from '../config/parse-config.ts'
import { describeFailure } from '../failure.ts'
import type { EventJSON } from '../schema.ts'
import { fileJSON } from './json.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** Which pair of database and replica a line is about. */
export interface EventSource {
  readonly database: string
  readonly replica: string
}

function posJSON(pos: Pos): { txid: string; postApplyChecksum: string } {
  return { txid: formatTXID(pos.txid), postApplyChecksum: formatChecksum(pos.postApplyChecksum) }
}

function errorJSON(error: unknown): { message: string; code: string; hint?: string } {
  const { exit: _, ...rest } = describeFailure(error)
  return rest
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}

/** An event as one line of `replicate --json`. */
export function eventJSON(source: EventSource, time: Date, event: PrimaryEvent): EventJSON {
  const head = { time: time.toISOString(), ...source }
  switch (event.type) {
    case 'captured': {
      // The place in the WAL is of no use to whoever reads this; the position in the chain is.
      const { wal: _, ...shown } = event
      return { ...head, ...shown, milliseconds: tenths(event.milliseconds), pos: posJSON(event.pos) }
    }
    case 'resynced':
      return { ...head, ...event, milliseconds: tenths(event.milliseconds), pos: posJSON(event.pos) }
    case 'uploaded':
    case 'snapshotted':
    case 'compacted':
      return { ...head, ...event, milliseconds: tenths(event.milliseconds), file: fileJSON(event.file) }
    case 'retained': {
      const { oldest, ...rest } = event
      const shown = oldest && { txid: formatTXID(oldest.txid), timestamp: oldest.timestamp.toISOString() }
      return { ...head, ...rest, ...(shown && { oldest: shown }) }
    }
    case 'verified': {
      const { milliseconds } = event
      return { ...head, ...event, milliseconds: tenths(milliseconds), txid: formatTXID(event.txid) }
    }
    case 'verification-skipped':
      return { ...head, ...event, txid: formatTXID(event.txid), nextAt: event.nextAt.toISOString() }
    case 'lease':
      return { ...head, ...event, epoch: String(event.epoch) }
    case 'tail-kept':
      return { ...head, ...event, minTXID: formatTXID(event.minTXID), maxTXID: formatTXID(event.maxTXID) }
    case 'snapshot-started':
      return { ...head, ...event, txid: formatTXID(event.txid) }
    case 'failed':
      return { ...head, ...event, error: errorJSON(event.error) }
    case 'state':
    case 'snapshot-progress':
    case 'given-up':
    case 'checkpointed':
    case 'warning':
      return { ...head, ...event }
  }
}

/** What is not heeded in a configuration file, as one line of `replicate --json`. */
export function configWarningJSON(file: string, time: Date, note: ConfigNote): EventJSON {
  return { time: time.toISOString(), type: 'config-warning', file, ...note }
}

/** The last line of `replicate --json` for one database. */
export function stoppedJSON(source: EventSource, time: Date, report: CloseReport): EventJSON {
  return {
    time: time.toISOString(),
    ...source,
    type: 'stopped',
    pendingFiles: report.pendingFiles,
    ...(report.captured === undefined ? {} : { captured: posJSON(report.captured) }),
    ...(report.uploaded === undefined ? {} : { uploaded: formatTXID(report.uploaded) }),
    ...(report.givenUp && { givenUp: true }),
  }
}

/** The event as a line for people; undefined for those that come all the time. */
export function eventLine(event: PrimaryEvent): string | undefined {
  switch (event.type) {
    case 'snapshot-started':
      return `snapshot of the whole database begins (${event.reason})`
    case 'snapshotted':
      return `snapshot ${formatFilename(event.file)} uploaded: ${formatBytes(event.bytes)} in ${formatDuration(event.milliseconds)}`
    case 'resynced':
      return `${event.reason}: compared all pages, ${formatCount(event.changedPages, 'changed page')} captured as TXID ${formatTXID(event.pos.txid)}`
    case 'warning':
      return `warning: ${event.message} (${event.code})${event.hint === undefined ? '' : `; ${event.hint}`}`
    case 'failed': {
      const { message, code } = errorJSON(event.error)
      const retry = event.retryInMs === undefined ? '' : `; next try in ${formatDuration(event.retryInMs)}`
      return `${event.operation} failed: ${message} (${code})${retry}`
    }
    case 'state':
      return event.to === 'fenced' ? 'fenced: another writer has taken over this replica' : undefined
    case 'lease':
      return event.state === 'waiting'
        ? `waiting: the replica is held by ${event.owner} until ${event.expires} unless it renews`
        : `the replica is ours to write (epoch ${event.epoch})`
    case 'given-up': {
      const { reason, files, bytes, freeBytes } = event
      const why = reason === 'bound' ? 'they may take no more disk space' : 'the disk is nearly full'
      return `warning: given up ${formatCount(files, 'captured file')} (${formatBytes(bytes)}): ${why}, ${formatBytes(freeBytes)} are free; nothing is backed up until the replica answers, then all pages are compared (given-up)`
    }
    case 'tail-kept':
      return `transactions ${formatTXID(event.minTXID)} to ${formatTXID(event.maxTXID)} are no part of the replica's history; their ${formatCount(event.files, 'file')} are kept in ${event.folder}`
    case 'compacted':
      return event.file.level === SNAPSHOT_LEVEL
        ? `snapshot ${formatFilename(event.file)} made of ${formatCount(event.inputs, 'file')}: ${formatBytes(event.bytes)} in ${formatDuration(event.milliseconds)}`
        : undefined
    case 'verified':
      return `proven restorable: TXID ${formatTXID(event.txid)}, ${formatBytes(event.bytes)} read in ${formatDuration(event.milliseconds)}`
    case 'verification-skipped': {
      const { needed, left, bytesPerDay, nextAt } = event
      const budget = `${formatBytes(left)} of ${formatBytes(bytesPerDay)} a day are left`
      return `warning: not proven restorable: that would read ${formatBytes(needed)}, and ${budget}; next look at ${nextAt.toISOString()} (verification-skipped)`
    }
    case 'retained':
    case 'captured':
    case 'uploaded':
    case 'snapshot-progress':
    case 'checkpointed':
      return undefined
  }
}

/** What a finished replication says: what is safe and what is not. */
export function stoppedLine(report: CloseReport): string {
  const safe =
    report.uploaded === undefined
      ? 'nothing is in the replica yet'
      : `in the replica up to TXID ${formatTXID(report.uploaded)}`
  if (isComplete(report)) return `stopped; everything is ${safe}`
  const left = `${formatCount(report.pendingFiles, 'file')} not uploaded, kept beside the database for the next start`
  if (report.givenUp) return `stopped; ${safe}; captures were given up, the next start compares all pages`
  return `stopped; ${safe}; ${left}`
}
