import { type Checksum, type PageSize, type TXID, toTXID } from '@sqlstream/ltx'

/** What is known about the local side at start. */
export interface LocalSide {
  readonly txid: TXID
  readonly postApplyChecksum: Checksum
  readonly pageSize: PageSize
  /**
   * The database checksum after the replica's head, as the local side remembers it: from the head
   * itself when it is the position, else from the first spooled file behind it.
   */
  readonly checksumAtHead?: Checksum | undefined
  /** It may say less than the database has: then the database itself is asked before it counts as behind. */
  readonly mayLag?: boolean | undefined
  /** Set by a restore: the head that the replica had then. */
  readonly restoredWhenHeadWas?: TXID | undefined
}

/** What is known about the replica at start. */
export interface RemoteSide {
  /** 0 when there is no file. */
  readonly head: TXID
  /** Undefined when the newest file proves nothing, as those of Litestream. */
  readonly postApplyChecksum?: Checksum | undefined
  /** The head was written by another writer, who has taken over since this database was replicated from here last. */
  readonly takenOver?: boolean | undefined
  /** False when its files do not connect up to the head. */
  readonly connected: boolean
  /** A base above the head that a former writer was about to send, and that may still arrive. */
  readonly lateBase?: TXID | undefined
  /** A former writer may be alive and paused: files that it sent may still appear behind the head. */
  readonly formerMayWrite?: boolean | undefined
}

/**
 * How far above the head a new base begins when a former writer's files may still appear there: more than it can send before it
 * finds out. So its history stays whole below the new one, and no file of one stands among those of the other.
 */
export const TAKEOVER_GAP = 65_536n

/** What to do when the replica holds what this copy of the database does not have: end with an error, or a new base above it. */
export type BehindPolicy = 'refuse' | 'snapshot'

/** The decision at start. */
export type StartPlan =
  /** Upload what is spooled after `head`, then prove the WAL or compare pages. */
  | { readonly kind: 'continue'; readonly head: TXID }
  /** No local state, or one in doubt: scan the database; its checksum decides between `continue` and a snapshot. */
  | {
      readonly kind: 'compare'
      readonly head: TXID
      readonly checksum: Checksum
      /** Where the local state says that the database is: if it is not the head, it is behind. */
      readonly behind?: TXID | undefined
      /** False: a snapshot is needed even if it is equal. */
      readonly mayContinue: boolean
      /** Of the snapshot. */
      readonly txid: TXID
    }
  /** Begin a new base under this TXID. What is in the replica stays restorable. */
  | { readonly kind: 'snapshot'; readonly txid: TXID; readonly reason: SnapshotReason }
  | { readonly kind: 'refuse'; readonly head: TXID; readonly local: TXID }
  /** Another writer has gone on from a state that this database has left, or never had. */
  | { readonly kind: 'diverged' }

/** Why a whole image is needed. */
export type SnapshotReason =
  | 'first-start'
  | 'replica-empty'
  | 'replica-unproven'
  | 'replica-has-gap'
  | 'spool-does-not-connect'
  | 'spool-lost'
  | 'histories-differ'
  | 'page-size-changed'
  | 'restored-to-older'
  | 'behind'
  | 'late-writer'

/** Decides by proof how replication goes on (design 5.5). Pure. */
export function planStart(input: {
  readonly pageSize: PageSize
  readonly local: LocalSide | undefined
  readonly remote: RemoteSide | undefined
  readonly onBehind: BehindPolicy
  readonly onDiverged: BehindPolicy
}): StartPlan {
  const { local, remote } = input
  const known = max(max(local?.txid, remote?.head), remote?.lateBase)
  const txid = toTXID(known + 1n + (remote?.formerMayWrite ? TAKEOVER_GAP : 0n))
  const snapshot = (reason: SnapshotReason): StartPlan => ({ kind: 'snapshot', txid, reason })
  if (remote === undefined || remote.head === 0n)
    return snapshot(local === undefined ? 'first-start' : 'replica-empty')
  const isFree = remote.lateBase === undefined
  if (local !== undefined && remote.head > local.txid) {
    if (local.restoredWhenHeadWas === remote.head) return snapshot('restored-to-older')
    const { head, connected, postApplyChecksum: checksum } = remote
    if (local.mayLag && connected && checksum !== undefined)
      return { kind: 'compare', head, checksum, behind: local.txid, mayContinue: isFree, txid }
    if (input.onBehind === 'snapshot') return snapshot('behind')
    return { kind: 'refuse', head, local: local.txid }
  }
  if (!remote.connected) return snapshot('replica-has-gap')
  if (remote.postApplyChecksum === undefined) return snapshot('replica-unproven')
  if (local === undefined)
    return {
      kind: 'compare',
      head: remote.head,
      checksum: remote.postApplyChecksum,
      mayContinue: isFree,
      txid,
    }
  const isSame = local.checksumAtHead === remote.postApplyChecksum
  if (!isSame && remote.takenOver && input.onDiverged === 'refuse') return { kind: 'diverged' }
  if (local.pageSize !== input.pageSize) return snapshot('page-size-changed')
  if (local.checksumAtHead === undefined) return snapshot('spool-does-not-connect')
  if (!isSame) return snapshot('histories-differ')
  return isFree ? { kind: 'continue', head: remote.head } : snapshot('late-writer')
}

function max(a: bigint | undefined, b: bigint | undefined): bigint {
  const x = a ?? 0n
  const y = b ?? 0n
  return x > y ? x : y
}
