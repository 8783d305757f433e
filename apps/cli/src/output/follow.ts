import type { FollowerEvent } from '@sqlstream/follower'
import { formatChecksum, formatTXID, type Pos } from '@sqlstream/ltx'
import { describeFailure } from '../failure.ts'
import type { FollowEventJSON } from '../follow-schema.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** Which copy a line is about. */
export interface FollowSource {
  readonly replica: string
  readonly file: string
}

function posJSON(pos: Pos): { txid: string; postApplyChecksum: string } {
  return { txid: formatTXID(pos.txid), postApplyChecksum: formatChecksum(pos.postApplyChecksum) }
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}

/** An event as one line of `follow --json`. */
export function followEventJSON(source: FollowSource, time: Date, event: FollowerEvent): FollowEventJSON {
  const head = { time: time.toISOString(), ...source }
  switch (event.type) {
    case 'restored':
      return { ...head, ...event, milliseconds: tenths(event.milliseconds), pos: posJSON(event.pos) }
    case 'applied':
      return {
        ...head,
        ...event,
        from: formatTXID(event.from),
        milliseconds: tenths(event.milliseconds),
        pos: posJSON(event.pos),
        timestamp: event.timestamp.toISOString(),
      }
    case 'rebased':
      return {
        ...head,
        ...event,
        from: formatTXID(event.from),
        milliseconds: tenths(event.milliseconds),
        pos: posJSON(event.pos),
      }
    case 'resumed':
    case 'current':
      return { ...head, ...event, pos: posJSON(event.pos) }
    case 'failed': {
      const { exit: _, ...error } = describeFailure(event.error)
      return { ...head, ...event, error }
    }
    case 'stale':
      return { ...head, ...event, lagMs: tenths(event.lagMs) }
    case 'fresh':
      return { ...head, ...event }
  }
}

/** The last line of `follow --json`. */
export function followStoppedJSON(source: FollowSource, time: Date, pos: Pos): FollowEventJSON {
  return { time: time.toISOString(), ...source, type: 'stopped', pos: posJSON(pos) }
}

/** The event as a line for people; undefined for those that come all the time. */
export function followEventLine(event: FollowerEvent): string | undefined {
  switch (event.type) {
    case 'restored':
      return `restored TXID ${formatTXID(event.pos.txid)}: ${formatCount(event.commit, 'page')}, ${formatBytes(event.bytes)} read in ${formatDuration(event.milliseconds)}`
    case 'resumed':
      return `going on from TXID ${formatTXID(event.pos.txid)}`
    case 'rebased':
      return `no file leads on from TXID ${formatTXID(event.from)}: brought to ${formatTXID(event.pos.txid)} by a snapshot, ${formatCount(event.pages, 'page')} written`
    case 'stale':
      return `warning: nothing is known of the newest state for ${formatDuration(event.lagMs)}: what readers see may be old (stale)`
    case 'fresh':
      return 'the copy is the newest state again'
    case 'failed': {
      const { message, code, hint } = describeFailure(event.error)
      const retry = `; next try in ${formatDuration(event.retryInMs)}`
      return `following failed: ${message} (${code})${retry}${hint === undefined ? '' : `; ${hint}`}`
    }
    case 'applied':
    case 'current':
      return undefined
  }
}
