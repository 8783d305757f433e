import { formatTXID, type TXID, toTXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, headOf, isLongEnough, type LTXFile } from './catalog.ts'
import { cheapestChain, reachableTXIDs } from './chain.ts'
import { ReplicaError } from './errors.ts'
import { findGaps, formatRange } from './gaps.ts'
import { boundaryAt } from './points.ts'

/** Which state to restore. */
export type RestoreTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'txid'; readonly txid: TXID }
  | {
      readonly kind: 'timestamp'
      readonly timestamp: Date
      /** An instant later than the newest state is an error instead of meaning that state. Default false. */
      readonly strict?: boolean
    }

/** How to restore: nothing in it is a guess, every file connects to the one before. */
export interface RestorePlan {
  /** A snapshot (first TXID 1), then files without a hole, oldest first. */
  readonly files: readonly LTXFile[]
  /** The state that results. */
  readonly txid: TXID
  /** Time of that state, where the catalog knows it. Always there for a timestamp target. */
  readonly timestamp?: Date
  /** For a timestamp target: how far the state lies before the wish, in milliseconds, at least 0. */
  readonly distanceMs?: number
}

/** Options of `planRestore`. */
export interface PlanRestoreOptions {
  /**
   * Keys of files that will soon be removed (`readDoomed`). A plan uses them only if no chain without them leads to the same state; which
   * state it is does not depend on them. Default: none.
   */
  readonly avoid?: ReadonlySet<string> | undefined
}

/**
 * Chooses the files for a restore. Pure: give it `replica.catalog()`, and for a timestamp what
 * `replica.withTimestamps()` returned.
 *
 * - `latest` is the head of all levels: a file that does not connect is a `gap`, never left out in silence.
 * - `txid` must be the end of a file.
 * - `timestamp` gives the last state whose time is not after the instant. An instant after the newest state gives that
 *   state, unless `strict`. States are ordered by TXID; where clocks went back, the highest TXID that fits is taken.
 *
 * Throws ReplicaError `no-snapshot`, `gap`, `target-before-first`, `target-after-last`, `txid-not-restorable`, or
 * `corrupt` when an object that is too short is needed. Throws TypeError when times are missing for a timestamp target.
 */
export function planRestore(
  catalog: Catalog,
  target: RestoreTarget,
  { avoid = new Set() }: PlanRestoreOptions = {},
): RestorePlan {
  const head = headOf(catalog)
  if (head === undefined) {
    throw new ReplicaError('no-snapshot', 'the replica has no LTX file', {
      hint: 'Check the URL: it must be the folder that was given to replicate.',
    })
  }
  switch (target.kind) {
    case 'latest':
      return planTo(catalog, head, avoid)
    case 'txid':
      return planTXID(catalog, head, target.txid, avoid)
    case 'timestamp':
      return planTimestamp(catalog, head, target.timestamp, target.strict ?? false, avoid)
  }
}

/** The plan to a TXID at which a file ends; every failure is a break in the chain. */
function planTo(catalog: Catalog, txid: TXID, avoid: ReadonlySet<string>): RestorePlan {
  const all = filesOf(catalog)
  const usable = all.filter(isLongEnough)
  const lasting = avoid.size === 0 ? usable : usable.filter((file) => !avoid.has(file.key))
  const chain = cheapestChain(lasting, txid) ?? cheapestChain(usable, txid)
  if (!chain) throw whyNot(catalog, all, txid)
  const timestamp = (chain[chain.length - 1] as LTXFile).timestamp
  return { files: chain, txid, ...(timestamp && { timestamp }) }
}

function planTXID(catalog: Catalog, head: TXID, txid: TXID, avoid: ReadonlySet<string>): RestorePlan {
  const all = filesOf(catalog)
  if (txid > head) {
    throw new ReplicaError(
      'target-after-last',
      `TXID ${formatTXID(txid)} is later than the newest, ${formatTXID(head)}`,
    )
  }
  if (all.some((file) => file.maxTXID === txid)) return planTo(catalog, txid, avoid)
  const points = reachableTXIDs(all.filter(isLongEnough))
  const before = points.findLast((point) => point < txid)
  const after = points.find((point) => point > txid)
  if (points.length === 0) throw noSnapshot(all)
  if (before === undefined) throw beforeFirst(`TXID ${formatTXID(txid)}`, points[0] as TXID)
  if (after === undefined) throw whyNot(catalog, all, txid)
  throw new ReplicaError('txid-not-restorable', `TXID ${formatTXID(txid)} lies inside a merged file`, {
    hint: `The nearest that can be restored are ${formatTXID(before)} and ${formatTXID(after)}.`,
  })
}

function planTimestamp(
  catalog: Catalog,
  head: TXID,
  timestamp: Date,
  strict: boolean,
  avoid: ReadonlySet<string>,
): RestorePlan {
  const wish = timestamp.getTime()
  if (Number.isNaN(wish)) throw new RangeError('timestamp is not a valid date')
  const all = filesOf(catalog)
  const { last, first } = boundaryAt(all.filter(isLongEnough), wish)
  const points = reachableTXIDs(all.filter(isLongEnough))
  if (points.length === 0) throw noSnapshot(all)
  if (!last || last.txid < (points[0] as TXID)) {
    const earliest = points[0] as TXID
    throw beforeFirst(timestamp.toISOString(), earliest, first?.txid === earliest ? first.time : undefined)
  }
  const plan = planTo(catalog, last.txid, avoid)
  if (last.txid < head) mustConnect(catalog, all, last.txid, last.time)
  if (strict && last.txid === head && wish > last.time) {
    throw new ReplicaError(
      'target-after-last',
      `${timestamp.toISOString()} is ${wish - last.time} ms later than the newest state, ${new Date(last.time).toISOString()}`,
    )
  }
  return { ...plan, timestamp: new Date(last.time), distanceMs: wish - last.time }
}

/**
 * What came right after the chosen state must be known: otherwise a missing file may hold states that are nearer to the
 * wish, and the chosen one would be passed off as the state of that instant.
 */
function mustConnect(catalog: Catalog, all: readonly LTXFile[], txid: TXID, time: number): void {
  const following = all.filter((file) => file.minTXID <= txid + 1n && file.maxTXID > txid)
  if (following.some(isLongEnough)) return
  if (following[0]) throw tooShort(following[0])
  throw gap(
    catalog,
    txid,
    `The state of ${new Date(time).toISOString()} itself can be restored by its TXID ${formatTXID(txid)}.`,
  )
}

/** The reason why no chain of usable files leads to a TXID at or below the head. */
function whyNot(catalog: Catalog, all: readonly LTXFile[], txid: TXID): ReplicaError {
  const needed = cheapestChain(all, txid)?.find((file) => !isLongEnough(file))
  if (needed) return tooShort(needed)
  const points = reachableTXIDs(all.filter(isLongEnough))
  if (points.length === 0) return noSnapshot(all)
  const before = points.findLast((point) => point < txid)
  if (before === undefined) return beforeFirst(`TXID ${formatTXID(txid)}`, points[0] as TXID)
  return gap(catalog, before, `The last state before it is TXID ${formatTXID(before)}.`)
}

function gap(catalog: Catalog, after: TXID, hint: string): ReplicaError {
  const missing = findGaps(catalog).find((range) => range.maxTXID > after)
  const from = toTXID(after + 1n)
  const text = missing && missing.minTXID >= from ? formatRange(missing) : `from ${formatTXID(from)} on`
  return new ReplicaError('gap', `transactions ${text} are in no file that connects`, { hint })
}

function noSnapshot(all: readonly LTXFile[]): ReplicaError {
  const short = all.find((file) => file.minTXID === 1n && !isLongEnough(file))
  if (short) return tooShort(short)
  return new ReplicaError('no-snapshot', `none of the ${all.length} LTX files starts at TXID 1`, {
    hint: 'The first snapshot has not been uploaded completely, or was deleted: these files alone restore nothing.',
  })
}

function tooShort(file: LTXFile): ReplicaError {
  return new ReplicaError('corrupt', `${file.key} has ${file.size} bytes, too few for an LTX file`, { file })
}

function beforeFirst(wish: string, first: TXID, firstTime?: number): ReplicaError {
  const time = firstTime === undefined ? '' : `, of ${new Date(firstTime).toISOString()}`
  return new ReplicaError(
    'target-before-first',
    `${wish} is earlier than the first restorable state, TXID ${formatTXID(first)}${time}`,
  )
}
