import { ReplicaError } from '../errors.ts'
import type { SegmentObject } from './generation-catalog.ts'

/** Whether `next` can be what comes right after `previous`; of one WAL only the content tells for certain. */
export function canFollow(previous: SegmentObject, next: SegmentObject): boolean {
  if (next.index === previous.index) return next.offset > previous.offset
  return next.index === previous.index + 1 && next.offset === 0
}

/** Where a segment begins, for people. */
export function formatPosition({ index, offset }: Pick<SegmentObject, 'index' | 'offset'>): string {
  return `WAL ${hex(index)} at ${hex(offset)}`
}

/** The error for a WAL of which something is missing; `reached`: the last segment before the hole. */
export function holeError(message: string, reached: SegmentObject | undefined): ReplicaError {
  return new ReplicaError('gap', message, {
    hint:
      reached === undefined
        ? 'From that snapshot no state can be restored; an earlier timestamp may lead to another snapshot or generation.'
        : `The last state before it is of ${reached.modified.toISOString()}: give exactly this timestamp.`,
  })
}

/** Eight hex digits, as in the names. */
function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
