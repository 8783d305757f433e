import type { TXID } from '@sqlstream/ltx'
import { type LTXFile, SNAPSHOT_LEVEL } from './catalog.ts'

/** A TXID at which files end, and what is known of its time. */
export interface TimePoint {
  readonly txid: TXID
  /**
   * Milliseconds; undefined while no header of its files has been read. The earliest of its files counts: a snapshot
   * may carry the time at which it was made instead of that of its last transaction.
   */
  readonly time: number | undefined
  /** The file whose header tells the time best. */
  readonly file: LTXFile
}

/** A point whose time is known. */
export interface KnownPoint {
  readonly txid: TXID
  readonly time: number
}

/** The TXIDs at which files end, ascending. */
export function timePoints(files: readonly LTXFile[]): TimePoint[] {
  const byTXID = new Map<TXID, TimePoint>()
  for (const file of files) {
    const time = file.timestamp?.getTime()
    const known = byTXID.get(file.maxTXID)
    if (!known) {
      byTXID.set(file.maxTXID, { txid: file.maxTXID, time, file })
      continue
    }
    const earliest = time === undefined ? known.time : Math.min(time, known.time ?? time)
    const better = known.file.level === SNAPSHOT_LEVEL || file.level < known.file.level ? file : known.file
    byTXID.set(file.maxTXID, { txid: file.maxTXID, time: earliest, file: better })
  }
  return [...byTXID.values()].sort((a, b) => (a.txid < b.txid ? -1 : a.txid > b.txid ? 1 : 0))
}

/**
 * Index of the last point that is known to be at or before an instant (-1: none), and of the first one after it that is
 * known to be later (`points.length`: none). The answer is found when nothing lies between the two.
 */
export function bracket(points: readonly TimePoint[], instant: number): { low: number; high: number } {
  let low = points.length - 1
  let high = points.length
  for (; low >= 0; low--) {
    const time = (points[low] as TimePoint).time
    if (time === undefined) continue
    if (time <= instant) break
    high = low
  }
  return { low, high }
}

/**
 * The last point at or before an instant and the one after it. Throws TypeError when times are missing that decide this:
 * a catalog comes without times, `replica.withTimestamps()` reads those that are needed.
 */
export function boundaryAt(
  files: readonly LTXFile[],
  instant: number,
): { last: KnownPoint | undefined; first: KnownPoint | undefined } {
  const points = timePoints(files)
  const { low, high } = bracket(points, instant)
  if (high - low > 1) {
    throw new TypeError('the catalog lacks the times around the target: use what withTimestamps() returns')
  }
  const [first] = points
  // A state is not younger than any that follows it, whatever a late snapshot or a clock that went back say.
  const times = points.flatMap(({ time }) => time ?? [])
  return {
    last: knownPoint(points[low]),
    first: first && times.length > 0 ? { txid: first.txid, time: Math.min(...times) } : undefined,
  }
}

function knownPoint(point: TimePoint | undefined): KnownPoint | undefined {
  return point?.time === undefined ? undefined : { txid: point.txid, time: point.time }
}
