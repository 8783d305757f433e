import type { Header, TXID } from '@sqlstream/ltx'
import { isStorageError, Slots } from '@sqlstream/storage'
import { type Catalog, createCatalog, filesOf, isLongEnough, type LTXFile } from './catalog.ts'
import { isReplicaError } from './errors.ts'
import { bracket, type TimePoint, timePoints } from './points.ts'
import type { AbortOptions, Replica } from './replica.ts'

/**
 * The same catalog with the times that decide which state is the last one at or before an instant. Begins where the listing's
 * times point to, and goes on from there: two or three headers where files are uploaded soon, O(log n) whatever the listing
 * says; none for what is known already. Times grow with the TXID; where a clock went back, the result is a state at which
 * the time passes the instant, not always the only one.
 */
export async function readTimestamps(
  catalog: Catalog,
  target: Date,
  readHeader: (file: LTXFile) => Promise<Header>,
): Promise<Catalog> {
  const instant = target.getTime()
  if (Number.isNaN(instant)) throw new RangeError('target is not a valid date')
  const points = timePoints(filesOf(catalog).filter(isLongEnough))
  const read = new Map<LTXFile, Date>()
  const start = points.findLastIndex(({ file }) => file.modified.getTime() <= instant)
  for (let before: Bracket | undefined; ; ) {
    const now = bracket(points, instant)
    if (now.high - now.low <= 1) break
    const at = nextLook(now, before, { start, reads: read.size })
    before = now
    const point = points[at] as TimePoint
    const { timestamp } = await readHeader(point.file)
    read.set(point.file, new Date(timestamp))
    points[at] = { ...point, time: timestamp }
  }
  return withTimes(catalog, read)
}

type Bracket = ReturnType<typeof bracket>

/** Which point to look at: the first guess, then its neighbours in ever longer steps, then halves. */
function nextLook(
  { low, high }: Bracket,
  before: Bracket | undefined,
  { start, reads }: { readonly start: number; readonly reads: number },
): number {
  // Files that were copied from elsewhere are all younger than the wish: the newest first, "now" is the commonest one; then halves.
  if (start < 0) return before === undefined ? high - 1 : (low + high) >>> 1
  if (before === undefined) return Math.min(Math.max(start, low + 1), high - 1)
  const step = 2 ** Math.max(0, reads - 2)
  const goesUp = low > before.low
  // As long as only one end has moved, the other may be far away.
  if (goesUp && low + step < high) return low + step
  if (!goesUp && high - step > low) return high - step
  return (low + high) >>> 1
}

// Headers are small requests: this many at a time hide the round trips and stay far below any store's limit.
const PARALLEL_HEADERS = 16

/**
 * The same catalog with the header times of these files: a request for each that lacks it, some side by side. Files that are too
 * short, damaged or gone stay without: who reads them learns of it.
 */
export async function withHeaderTimes(
  replica: Replica,
  catalog: Catalog,
  files: readonly LTXFile[],
  options: AbortOptions = {},
): Promise<Catalog> {
  const lacking = files.filter((file) => file.timestamp === undefined && isLongEnough(file))
  return withTimes(catalog, await readHeaderTimes(replica, lacking, options))
}

/** The header times of these files, a request for each, some side by side. Files that are damaged or gone are not in it. */
export async function readHeaderTimes(
  replica: Replica,
  files: readonly LTXFile[],
  options: AbortOptions = {},
): Promise<Map<LTXFile, Date>> {
  const times = new Map<LTXFile, Date>()
  const slots = new Slots(PARALLEL_HEADERS)
  const reading = files.map((file) =>
    slots.run(async () => {
      try {
        times.set(file, new Date((await replica.header(file, options)).timestamp))
      } catch (error) {
        if (!isReplicaError(error, 'corrupt') && !isStorageError(error, 'not-found')) throw error
      }
    }, options),
  )
  await Promise.all(reading)
  return times
}

/**
 * The same catalog with the times of these states: a request for each of which no file has told it yet, of the file that tells it best.
 */
export function withPointTimes(
  replica: Replica,
  catalog: Catalog,
  txids: ReadonlySet<TXID>,
  options: AbortOptions = {},
): Promise<Catalog> {
  const points = timePoints(filesOf(catalog).filter(isLongEnough))
  const unknown = points.filter(({ txid, time }) => time === undefined && txids.has(txid))
  return withHeaderTimes(
    replica,
    catalog,
    unknown.map(({ file }) => file),
    options,
  )
}

/** The same catalog with these times. */
export function withTimes(catalog: Catalog, times: ReadonlyMap<LTXFile, Date>): Catalog {
  if (times.size === 0) return catalog
  return createCatalog(
    filesOf(catalog).map((file) => {
      const timestamp = times.get(file)
      return timestamp ? { ...file, timestamp } : file
    }),
  )
}
