import { ReplicaError } from '../errors.ts'
import type { Generation, GenerationCatalog, SegmentObject, SnapshotObject } from './generation-catalog.ts'
import { canFollow, formatPosition, holeError } from './wal-chain.ts'

/** Which state of a backup of Litestream 0.3 to restore. */
export type GenerationTarget = {
  /** Its 16 hex digits. Default: the one that was written to last, at that instant. */
  readonly generation?: string | undefined
} & (
  | { readonly kind: 'latest' }
  | {
      readonly kind: 'timestamp'
      readonly timestamp: Date
    }
)

/** How to restore: a snapshot, then segments of WAL without a hole that the names could show. */
export interface GenerationPlan {
  readonly generation: string
  readonly snapshot: SnapshotObject
  /** From the beginning of the snapshot's WAL on, in order. */
  readonly segments: readonly SegmentObject[]
  /** What comes right after, if that must be proven: it shall begin where the last segment ends. */
  readonly following?: SegmentObject
  /** Time of the state: when its last object arrived. */
  readonly timestamp: Date
  /** For a timestamp target: how far the state lies before the wish, in milliseconds, at least 0. */
  readonly distanceMs?: number
}

/**
 * Chooses the objects for a restore. Pure: give it `replica.generations()`.
 *
 * A state has the time at which its last segment arrived; nothing else is known of times. States are ordered by their place
 * in the WAL, so of an instant the last segment counts that arrived until then. A snapshot without any WAL of its index or a
 * later one is a state too.
 *
 * Throws ReplicaError `no-snapshot`, `no-generation`, `gap`, `target-before-first`; RangeError for an invalid date.
 */
export function planGeneration(catalog: GenerationCatalog, target: GenerationTarget): GenerationPlan {
  const wish = target.kind === 'latest' ? Number.POSITIVE_INFINITY : target.timestamp.getTime()
  if (Number.isNaN(wish)) throw new RangeError('timestamp is not a valid date')
  const candidates = chosenGenerations(catalog, target.generation)
  const generation = lastActive(candidates, wish)
  if (!generation) throw beforeFirst(candidates, wish)
  const { snapshot, end } = stateAt(generation, wish)
  const timestamp = end?.modified ?? snapshot.modified
  const segments = generation.segments.filter(
    (segment) => end !== undefined && segment.index >= snapshot.index && compare(segment, end) <= 0,
  )
  mustBeWhole(snapshot, segments)
  const following = mustConnect(generation, end, wish)
  return {
    generation: generation.id,
    snapshot,
    segments,
    ...(following && { following }),
    timestamp,
    ...(Number.isFinite(wish) && { distanceMs: wish - timestamp.getTime() }),
  }
}

function chosenGenerations(catalog: GenerationCatalog, id: string | undefined): readonly Generation[] {
  const all = [...catalog.generations.values()]
  if (all.length === 0) {
    throw new ReplicaError('no-snapshot', 'there is no backup of Litestream 0.3', {
      hint: 'Check the URL: it must be the folder that has "generations" in it.',
    })
  }
  if (id === undefined) return all
  const chosen = catalog.generations.get(id)
  if (!chosen) {
    throw new ReplicaError('no-generation', `there is no generation ${id}`, {
      hint: `There ${all.length === 1 ? 'is' : 'are'} ${all.map((each) => each.id).join(', ')}.`,
    })
  }
  return [chosen]
}

/** The generation that last received something by then. It must be restorable: an older one would be passed off as it. */
function lastActive(generations: readonly Generation[], wish: number): Generation | undefined {
  let best: Generation | undefined
  let bestTime = Number.NEGATIVE_INFINITY
  for (const generation of generations) {
    const bare = generation.snapshots.filter((snapshot) => isBare(generation, snapshot))
    for (const { modified } of [...generation.segments, ...bare]) {
      const time = modified.getTime()
      if (time > wish || time < bestTime) continue
      if (time === bestTime && best && firstTime(best) >= firstTime(generation)) continue
      best = generation
      bestTime = time
    }
  }
  return best
}

/** The snapshot to begin with and the last segment to apply; no segment: the snapshot alone. */
function stateAt(
  generation: Generation,
  wish: number,
): { snapshot: SnapshotObject; end: SegmentObject | undefined } {
  const { snapshots, segments, id } = generation
  if (snapshots.length === 0) {
    throw new ReplicaError('no-snapshot', `generation ${id} has no snapshot`, {
      hint: 'Its segments of WAL alone restore nothing; another generation can be named.',
    })
  }
  const isBy = ({ modified }: { readonly modified: Date }): boolean => modified.getTime() <= wish
  const bare = snapshots.findLast((snapshot) => isBy(snapshot) && isBare(generation, snapshot))
  if (bare) return { snapshot: bare, end: undefined }
  const end = segments.findLast(isBy)
  // A snapshot of the same WAL may hold what came after the segment, unless it was there first.
  const snapshot =
    end && snapshots.findLast((each) => each.index < end.index || (each.index === end.index && isBy(each)))
  if (!snapshot) throw beforeFirst([generation], wish)
  return { snapshot, end }
}

/** Whether a snapshot stands alone: no WAL of its index or a later one has ever arrived. */
function isBare(generation: Generation, snapshot: SnapshotObject): boolean {
  const last = generation.segments.at(-1)
  return last === undefined || last.index < snapshot.index
}

function mustBeWhole(snapshot: SnapshotObject, segments: readonly SegmentObject[]): void {
  let previous: SegmentObject | undefined
  for (const segment of segments) {
    const fits = previous
      ? canFollow(previous, segment)
      : segment.index === snapshot.index && segment.offset === 0
    if (!fits) throw missing(previous, snapshot, segment)
    previous = segment
  }
}

/**
 * What came right after the chosen state must be known: otherwise a missing segment may hold states that are nearer to the
 * wish. Whoever asks for exactly the time of a state gets that state.
 */
function mustConnect(
  generation: Generation,
  end: SegmentObject | undefined,
  wish: number,
): SegmentObject | undefined {
  if (!end || wish === end.modified.getTime()) return undefined
  const next = generation.segments[generation.segments.indexOf(end) + 1]
  if (!next) return undefined
  if (!canFollow(end, next)) throw missing(end, undefined, next)
  return next
}

function missing(
  previous: SegmentObject | undefined,
  snapshot: SnapshotObject | undefined,
  next: SegmentObject,
): ReplicaError {
  const after = previous
    ? `after ${previous.key}`
    : `from ${formatPosition({ index: snapshot?.index ?? 0, offset: 0 })} on`
  return holeError(`segments of WAL are missing ${after}, before ${next.key}`, previous)
}

function beforeFirst(generations: readonly Generation[], wish: number): ReplicaError {
  const first = generations.map(firstTime).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const named = generations.length === 1 ? ` of generation ${generations[0]?.id}` : ''
  if (!Number.isFinite(first) || !Number.isFinite(wish)) {
    return new ReplicaError('no-snapshot', `no snapshot${named} leads to a state`)
  }
  return new ReplicaError(
    'target-before-first',
    `${new Date(wish).toISOString()} is earlier than the first state${named}, of ${new Date(first).toISOString()}`,
    { hint: 'Only that state and later ones can be restored.' },
  )
}

/** Time of the first state; infinity when there is none. */
function firstTime(generation: Generation): number {
  for (const snapshot of generation.snapshots) {
    const time = snapshot.modified.getTime()
    if (isBare(generation, snapshot)) return time
    const begin = generation.segments.find(({ index }) => index === snapshot.index)
    if (begin?.offset === 0) return Math.max(time, begin.modified.getTime())
  }
  return Number.POSITIVE_INFINITY
}

function compare(a: SegmentObject, b: SegmentObject): number {
  return a.index - b.index || a.offset - b.offset
}
