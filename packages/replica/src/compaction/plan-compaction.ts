import { isContiguous, type TXID } from '@sqlstream/ltx'
import {
  type Catalog,
  filesOf,
  fileTime,
  headOf,
  isLongEnough,
  type Level,
  type LTXFile,
  SNAPSHOT_LEVEL,
} from '../catalog.ts'
import { cheapestChain } from '../chain.ts'
import { type CompactionLevels, DEFAULT_LEVELS } from './levels.ts'

/** When a snapshot is made of what the replica holds. */
export interface SnapshotPolicy {
  /** When what came after the last one has so many times its bytes. Default 1. */
  readonly growth?: number
  /** When the last one is so old, in milliseconds, and something came after it. Default 24 hours. */
  readonly maxAge?: number
}

/** What decides about merges. */
export interface CompactionPolicy {
  /** Default: 30 seconds, 5 minutes, 1 hour. */
  readonly levels?: CompactionLevels
  /** `never`: only those that are asked for. */
  readonly snapshots?: SnapshotPolicy | 'never'
  /** Files that one merge may have open, at least 2. Default 200. */
  readonly maxInputs?: number
  /** 0 to 1, of one's own for each replica: moves `maxAge` by up to a tenth, so that not all are made at once. Default 0.5. */
  readonly jitter?: number
}

/** One file to be made of others. */
export interface Merge {
  /** 9 for a snapshot. */
  readonly level: Level
  /** Contiguous, oldest first. */
  readonly inputs: readonly LTXFile[]
}

/** What is due now, and when to look again although nothing new has come. */
export interface CompactionPlan {
  readonly merges: readonly Merge[]
  /** Milliseconds since 1970; undefined when nothing is to be done before something new comes. */
  readonly nextAt: number | undefined
}

const DAY = 86_400_000

/**
 * Says which files to merge. Pure. Each level takes whole slots of time of the level below, as soon as a slot is over; a file
 * that is alone in its slot moves up as it is. Never over a gap: what does not connect was made apart, and a snapshot leads over
 * it. A merge that is done shows in the catalog, so after a crash, or on another machine, the next plan goes on where the
 * last one ended. For files without a `timestamp` the time of their upload is taken, which is later.
 *
 * @param now milliseconds since 1970, by the clock that the files' times are from
 */
export function planCompaction(catalog: Catalog, now: number, policy: CompactionPolicy = {}): CompactionPlan {
  const { levels = DEFAULT_LEVELS, maxInputs = 200 } = policy
  if (!(maxInputs >= 2)) throw new RangeError('a merge has at least two inputs')
  const merges: Merge[] = []
  let nextAt: number | undefined
  for (const [i, every] of levels.every.entries()) {
    const level = i + 1
    const rest = uncovered(catalog, level)
    for (const { inputs, slotEnd, isLast } of slots(rest, every, maxInputs)) {
      if (!isLast || slotEnd <= now) merges.push({ level, inputs })
      else nextAt = Math.min(nextAt ?? slotEnd, slotEnd)
    }
  }
  const snapshot = dueSnapshot(catalog, now, policy)
  if (typeof snapshot === 'number') nextAt = Math.min(nextAt ?? snapshot, snapshot)
  else if (snapshot) merges.push(snapshot)
  return { merges, nextAt }
}

/**
 * The merge that makes a snapshot of the newest state, or of the newest one at most `maxInputs` files behind the last snapshot.
 * Undefined when the newest state is one already, or nothing leads to it.
 */
export function planSnapshot(catalog: Catalog, policy: CompactionPolicy = {}): Merge | undefined {
  const head = headOf(catalog)
  return head === undefined ? undefined : snapshotOf(catalog, head, policy)
}

/** The files that merges are made of: what each level lacks of the one below. Their times decide, so they must be those of their headers. */
export function pendingFiles(
  catalog: Catalog,
  { levels = DEFAULT_LEVELS }: CompactionPolicy = {},
): LTXFile[] {
  return levels.every.flatMap((_, i) => uncovered(catalog, i + 1))
}

/** What the level below has behind the end of this level. */
function uncovered(catalog: Catalog, level: Level): LTXFile[] {
  const done = catalog.levels
    .get(level)
    ?.reduce<TXID | undefined>((end, file) => later(end, file.maxTXID), undefined)
  const below = catalog.levels.get(level - 1) ?? []
  return below.filter(
    (file) => file.minTXID !== 1n && isLongEnough(file) && (done === undefined || file.maxTXID > done),
  )
}

function later(a: TXID | undefined, b: TXID): TXID {
  return a === undefined || b > a ? b : a
}

interface Slot {
  readonly inputs: readonly LTXFile[]
  readonly slotEnd: number
  /** More may come to it. */
  readonly isLast: boolean
}

/** Files in TXID order, by slot, cut where they do not connect and after so many. */
function slots(files: readonly LTXFile[], every: number, maxInputs: number): Slot[] {
  const found: { inputs: LTXFile[]; slot: number }[] = []
  // A clock that went back does not open a slot again: states are in order of TXID.
  let time = Number.NEGATIVE_INFINITY
  for (const file of files) {
    time = Math.max(time, fileTime(file))
    const slot = Math.floor(time / every)
    const last = found.at(-1)
    const before = last?.inputs.at(-1)
    if (
      last &&
      before &&
      last.slot === slot &&
      isContiguous(before, file) &&
      last.inputs.length < maxInputs
    ) {
      last.inputs.push(file)
    } else {
      found.push({ inputs: [file], slot })
    }
  }
  return found.map(({ inputs, slot }, i) => ({
    inputs,
    slotEnd: (slot + 1) * every,
    // One that is full, or that something follows in, does not grow.
    isLast: i === found.length - 1 && inputs.length < maxInputs,
  }))
}

/** The snapshot that is due, or when it may be. */
function dueSnapshot(catalog: Catalog, now: number, policy: CompactionPolicy): Merge | number | undefined {
  const { snapshots = {}, jitter = 0.5 } = policy
  const head = headOf(catalog)
  if (snapshots === 'never' || head === undefined) return undefined
  const chain = cheapestChain(filesOf(catalog).filter(isLongEnough), head)
  const [base, ...increments] = chain ?? []
  if (!base || increments.length === 0) return undefined
  const { growth = 1, maxAge = DAY } = snapshots
  const bytes = increments.reduce((sum, { size }) => sum + size, 0)
  const dueAt = fileTime(base) + maxAge * (0.9 + 0.2 * jitter)
  if (bytes < growth * base.size && now < dueAt) return dueAt
  // Up to where the widest merges lead: what is behind will be merged before long, and is then cheaper to read.
  const merged = increments.filter((file) => file.level > 0)
  const widest = Math.max(...merged.map(({ level }) => level))
  const target = merged.findLast(({ level }) => level === widest)
  return target && snapshotOf(catalog, target.maxTXID, policy)
}

function snapshotOf(
  catalog: Catalog,
  target: TXID,
  { maxInputs = 200 }: Pick<CompactionPolicy, 'maxInputs'>,
): Merge | undefined {
  const chain = cheapestChain(filesOf(catalog).filter(isLongEnough), target)
  if (!chain || (chain.length === 1 && chain[0]?.level === SNAPSHOT_LEVEL)) return undefined
  return { level: SNAPSHOT_LEVEL, inputs: chain.slice(0, maxInputs) }
}
