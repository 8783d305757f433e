import type { PageIndex } from '@sqlstream/ltx'
import { REQUEST_BYTES } from '../request-cost.ts'
import type { PageSet } from './page-set.ts'

/** So much is asked for at a time, so that one large file comes by several connections. */
const PART_BYTES = 32 * 1024 * 1024

/** Consecutive entries of a page index, from `first` to before `end`: their frames lie back to back. */
export interface FrameRun {
  readonly first: number
  readonly end: number
}

/** One ranged request: the frames of these runs, and small gaps between them. */
export interface ReadPart {
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly length: number
  readonly runs: readonly FrameRun[]
}

/**
 * Takes for this file all of its pages that nobody has claimed yet, and says in which parts to read them. Files claim from the
 * newest to the oldest, so what a newer file holds is not asked of an older one, but where a gap is cheaper to read than a
 * request. Pages behind the end of the database are not needed.
 */
export function planReads(index: PageIndex, claimed: PageSet): ReadPart[] {
  const parts: ReadPart[] = []
  let part: { offset: number; end: number; runs: FrameRun[] } | undefined
  const flush = (): void => {
    if (part) parts.push({ offset: part.offset, length: part.end - part.offset, runs: part.runs })
    part = undefined
  }
  for (const run of claimRuns(index, claimed)) {
    for (const { first, end } of cutRun(index, run)) {
      const from = index.offsets[first] as number
      const to = (index.offsets[end - 1] as number) + (index.sizes[end - 1] as number)
      if (part && (from - part.end > REQUEST_BYTES || to - part.offset > PART_BYTES)) flush()
      part ??= { offset: from, end: from, runs: [] }
      part.runs.push({ first, end })
      part.end = to
    }
  }
  flush()
  return parts
}

function* claimRuns({ count, pgnos }: PageIndex, claimed: PageSet): Generator<FrameRun, void, void> {
  let first = -1
  for (let i = 0; i < count; i++) {
    const pgno = pgnos[i] as number
    if (pgno <= claimed.commit && claimed.add(pgno)) {
      if (first < 0) first = i
    } else if (first >= 0) {
      yield { first, end: i }
      first = -1
    }
  }
  if (first >= 0) yield { first, end: count }
}

/** A long run in pieces of about a part. */
function* cutRun(index: PageIndex, { first, end }: FrameRun): Generator<FrameRun, void, void> {
  let from = first
  let bytes = 0
  for (let i = first; i < end; i++) {
    const size = index.sizes[i] as number
    if (i > from && bytes + size > PART_BYTES) {
      yield { first: from, end: i }
      from = i
      bytes = 0
    }
    bytes += size
  }
  yield { first: from, end }
}
