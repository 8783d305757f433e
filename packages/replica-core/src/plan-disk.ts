/** How much of a disk our files may take (SPEC.md, "Disk"). */
export interface DiskLimits {
  /**
   * Captures that wait for their upload may take so many bytes, those of all databases that share the limit together. Default: half of
   * what they could take without touching the reserve.
   */
  readonly maxSpoolBytes?: number
  /** So many bytes are left free for the application. Default: a twentieth of the disk, 256 MiB at most. */
  readonly reserveBytes?: number
}

/** A disk at an instant, in bytes. */
export interface DiskSpace {
  /** For users without privileges. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/** What one database takes of it. */
export interface DiskUse {
  /** Captures that wait for their upload. */
  readonly spoolBytes: number
  /** The WAL, while it is kept from being restarted for our sake. */
  readonly walBytes: number
  /** The next capture will add about so much. */
  readonly incomingBytes: number
  /** The WAL cannot be restarted before that: however little there is, the application may need it. */
  readonly isFailing?: boolean
}

/** Why captures are given up. `bound`: they would take more than they may; `reserve`: the disk is nearly full. */
export type GiveUpReason = 'bound' | 'reserve'

/** Whose captures are given up, and why. */
export interface DiskPlan<U extends DiskUse> {
  readonly reason: GiveUpReason
  /** Those with the most first. */
  readonly giveUp: readonly U[]
}

const MOST_RESERVED = 256 << 20
const RESERVED_SHARE = 1 / 20
/** Less than this is not worth a comparison of the whole database. */
const WORTH = 4 << 20

/** What is left free for the application. */
export function reserveOf({ totalBytes }: DiskSpace, { reserveBytes }: DiskLimits): number {
  return reserveBytes ?? Math.floor(Math.min(MOST_RESERVED, totalBytes * RESERVED_SHARE))
}

/** What captures may take of a disk. Below 0 where the reserve is touched. */
export function roomOf(space: DiskSpace, limits: DiskLimits): number {
  const { maxSpoolBytes = Number.POSITIVE_INFINITY } = limits
  return Math.min(maxSpoolBytes, space.freeBytes - reserveOf(space, limits))
}

/**
 * Decides which databases give up their captures, so that the application can write; undefined while there is room. Little is never
 * given up: on a disk that others have filled, a backup that keeps up goes on. Pure.
 */
export function planDisk<U extends DiskUse>(
  space: DiskSpace,
  users: readonly U[],
  limits: DiskLimits,
): DiskPlan<U> | undefined {
  const reserve = reserveOf(space, limits)
  const spool = sum(users, ({ spoolBytes }) => spoolBytes)
  const incoming = sum(users, ({ incomingBytes }) => incomingBytes)
  const captures = spool + incoming
  if (limits.maxSpoolBytes !== undefined && captures > limits.maxSpoolBytes)
    return choose('bound', users, captures - lowMark(limits.maxSpoolBytes), capturesOf)
  const ours = sum(users, allOf)
  const free = space.freeBytes - incoming
  const isLittle = ours <= Math.min(WORTH, reserve / 2)
  if (isLittle && !(free < reserve && users.some(({ isFailing }) => isFailing))) return undefined
  if (free < reserve) return choose('reserve', users, reserve - free + reserve / 4, allOf)
  if (limits.maxSpoolBytes !== undefined || captures <= WORTH) return undefined
  const bound = (space.freeBytes + spool - reserve) / 2
  return captures > bound ? choose('bound', users, captures - lowMark(bound), capturesOf) : undefined
}

/** So that the next capture does not meet the bound again. */
function lowMark(bound: number): number {
  return Math.floor(bound * 0.75)
}

/** The fewest that free so much, which are those with the most. */
function choose<U extends DiskUse>(
  reason: GiveUpReason,
  users: readonly U[],
  bytes: number,
  weight: (use: DiskUse) => number,
): DiskPlan<U> | undefined {
  const giveUp: U[] = []
  let freed = 0
  for (const user of [...users].sort((a, b) => weight(b) - weight(a))) {
    if (freed >= bytes || weight(user) === 0) break
    giveUp.push(user)
    freed += weight(user)
  }
  return giveUp.length === 0 ? undefined : { reason, giveUp }
}

function capturesOf({ spoolBytes, incomingBytes }: DiskUse): number {
  return spoolBytes + incomingBytes
}

function allOf({ spoolBytes, walBytes, incomingBytes }: DiskUse): number {
  return spoolBytes + walBytes + incomingBytes
}

function sum<U>(users: readonly U[], value: (user: U) => number): number {
  return users.reduce((total, user) => total + value(user), 0)
}
