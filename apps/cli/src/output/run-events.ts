import { formatTXID } from '@sqlstream/ltx'
import { describeFailure } from '../failure.ts'
import type { ApplicationEnd } from '../run/outcome.ts'
import type { Restoration } from '../run/restore-newest.ts'
import type { RunEventJSON } from '../run-event-schema.ts'
import type { EventSource } from './events.ts'
import { formatBytes, formatDuration } from './units.ts'

/** What `run` tells beside the events of its databases. */
export type RunNews =
  | { readonly type: 'restoring'; readonly source: EventSource; readonly again: boolean }
  | { readonly type: 'restored'; readonly source: EventSource; readonly done: Restoration }
  | { readonly type: 'no-backup'; readonly source: EventSource }
  | {
      readonly type: 'open-failed'
      readonly source: EventSource
      readonly error: unknown
      readonly retryInMs?: number
    }
  | { readonly type: 'started'; readonly program: string; readonly pid: number }
  | { readonly type: 'stopping'; readonly program: string; readonly why: Error }
  | { readonly type: 'killed'; readonly program: string }
  | { readonly type: 'ended'; readonly program: string; readonly end: ApplicationEnd }

/** As one line of `run --json`. */
export function runNewsJSON(news: RunNews, at: Date): RunEventJSON {
  const time = at.toISOString()
  switch (news.type) {
    case 'restoring':
      return { time, ...news.source, type: 'restoring', again: news.again }
    case 'restored': {
      const { txid, timestamp, bytes, proven, milliseconds } = news.done
      return {
        time,
        ...news.source,
        type: 'restored',
        ...(txid !== undefined && { txid: formatTXID(txid) }),
        timestamp: timestamp.toISOString(),
        bytes,
        proven,
        milliseconds,
      }
    }
    case 'no-backup':
      return { time, ...news.source, type: 'no-backup' }
    case 'open-failed': {
      const { exit: _, ...error } = describeFailure(news.error)
      const retry = news.retryInMs === undefined ? {} : { retryInMs: news.retryInMs }
      return { time, ...news.source, type: 'failed', operation: 'open', error, ...retry }
    }
    case 'started':
      return { time, type: 'application', state: 'started', program: news.program, pid: news.pid }
    case 'stopping': {
      const { exit: _, ...error } = describeFailure(news.why)
      return { time, type: 'application', state: 'stopping', program: news.program, error }
    }
    case 'killed':
      return { time, type: 'application', state: 'killed', program: news.program }
    case 'ended': {
      const { code, signal } = news.end
      const how = { ...(code !== null && { code }), ...(signal !== null && { signal }) }
      return { time, type: 'application', state: 'ended', program: news.program, ...how }
    }
  }
}

/** As a line for people. */
export function runNewsLine(news: RunNews): string {
  switch (news.type) {
    case 'restoring':
      return news.again
        ? `${news.source.database}: the replica has gone on meanwhile; restoring again`
        : `${news.source.database}: is missing; restoring it from ${news.source.replica}`
    case 'restored': {
      const { txid, timestamp, bytes, milliseconds } = news.done
      const at = txid === undefined ? '' : ` at TXID ${formatTXID(txid)},`
      return `${news.source.database}: restored${at} state of ${timestamp.toISOString()}: ${formatBytes(bytes)} in ${formatDuration(milliseconds)}`
    }
    case 'no-backup':
      return `${news.source.database}: is missing, and there is no backup at ${news.source.replica}; it is replicated as soon as it is there`
    case 'open-failed': {
      const { message, code } = describeFailure(news.error)
      const retry = news.retryInMs === undefined ? '' : `; next try in ${formatDuration(news.retryInMs)}`
      return `${news.source.database}: nothing of it is backed up yet: ${message} (${code})${retry}`
    }
    case 'started':
      return `${news.program} started (pid ${news.pid})`
    case 'stopping':
      return `${news.program} is told to end: ${describeFailure(news.why).message}`
    case 'killed':
      return `${news.program} has not ended in time, and is killed`
    case 'ended': {
      const { code, signal } = news.end
      return `${news.program} ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}`
    }
  }
}
