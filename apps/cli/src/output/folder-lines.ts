import type { FleetEvent, FleetReport } from '@sqlstream/replica-core'
import { describeFailure } from '../failure.ts'
import type { EventJSON } from '../schema.ts'
import { eventJSON, eventLine } from './events.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** So many lines about single databases between two summaries. */
const MOST_LINES = 20
const MOST_NAMES = 5

/** What people are told about the databases of a folder: what matters of each, and the uploads of all together. */
export class FolderLines {
  #files = 0
  #bytes = 0
  readonly #uploading = new Set<string>()
  #lines = 0
  #leftOut = 0

  /** The line of an event, if it deserves one and there were not too many. */
  add(event: FleetEvent): string | undefined {
    if (event.type === 'primary' && event.event.type === 'uploaded') {
      this.#files++
      this.#bytes += event.event.bytes
      this.#uploading.add(event.database.relpath)
      return undefined
    }
    const line = lineOf(event)
    if (line === undefined) return undefined
    if (event.type !== 'warning' && ++this.#lines > MOST_LINES) {
      this.#leftOut++
      return undefined
    }
    return line
  }

  /** To be called every ten seconds, and at the end. */
  flush(): string[] {
    const lines: string[] = []
    if (this.#leftOut > 0)
      lines.push(`${formatCount(this.#leftOut, 'more line')} left out; --json has them all`)
    if (this.#files > 0) {
      const databases = formatCount(this.#uploading.size, 'database')
      lines.push(`uploaded ${formatCount(this.#files, 'file')}, ${formatBytes(this.#bytes)}, of ${databases}`)
    }
    this.#files = this.#bytes = this.#lines = this.#leftOut = 0
    this.#uploading.clear()
    return lines
  }
}

function lineOf(event: FleetEvent): string | undefined {
  switch (event.type) {
    case 'warning':
      return `warning: ${event.message} (${event.code})`
    case 'open-failed': {
      const { message, code } = describeFailure(event.error)
      return `${event.database.relpath}: open failed: ${message} (${code}); next try in ${formatDuration(event.retryInMs)}`
    }
    case 'primary': {
      const { type } = event.event
      // One for each of thousands of databases at every start would say nothing.
      if (type === 'snapshot-started' || type === 'resynced') return undefined
      if (type === 'lease' && event.event.state === 'acquired') return undefined
      const line = eventLine(event.event)
      return line && `${event.database.relpath}: ${line}`
    }
    case 'found':
    case 'member':
      return undefined
  }
}

/** An event as one line of `replicate --json`. */
export function fleetEventJSON(
  folder: string,
  source: { readonly database: string; readonly replica: string } | undefined,
  time: Date,
  event: FleetEvent,
): EventJSON {
  const head = { time: time.toISOString(), database: source?.database ?? '', replica: source?.replica ?? '' }
  switch (event.type) {
    case 'primary':
      return eventJSON(head, time, event.event)
    case 'found':
      return { ...head, type: 'member', state: 'queued' }
    case 'member':
      return { ...head, type: 'member', state: event.state }
    case 'open-failed': {
      const { exit: _, ...error } = describeFailure(event.error)
      return { ...head, type: 'failed', operation: 'open', error, retryInMs: event.retryInMs }
    }
    case 'warning': {
      const { path, code, message } = event
      return { time: head.time, type: 'folder-warning', folder, path, code, message }
    }
  }
}

/** What is safe and what is not, at the end. */
export function folderStoppedLine({ databases, pendingFiles, incomplete }: FleetReport): string {
  const all = formatCount(databases, 'database')
  if (incomplete.length === 0) return `stopped; ${all}: everything is in the replicas`
  const names = incomplete.slice(0, MOST_NAMES).map(({ relpath }) => relpath)
  const more = incomplete.length > names.length ? ` and ${incomplete.length - names.length} more` : ''
  const files = pendingFiles === 0 ? '' : `, ${formatCount(pendingFiles, 'file')} kept for the next start`
  return `stopped; ${all}, not everything is in the replicas of ${formatCount(incomplete.length, 'database')}${files}: ${names.join(', ')}${more}`
}
