import { randomUUID } from 'node:crypto'
import { type TXID, toTXID } from '@sqlstream/ltx'
import {
  type Catalog,
  headOf,
  type Identity,
  isReplicaError,
  type Lease,
  type LTXFile,
  planRestore,
  type Replica,
  type ReplicaWriter,
  withNewestFiles,
} from '@sqlstream/replica'
import type { Attachment } from './attachment.ts'
import { PrimaryError } from './errors.ts'
import { HeldLease } from './lease/held-lease.ts'
import { findOwing, type Owing } from './owing.ts'
import {
  type BehindPolicy,
  type LocalSide,
  planStart,
  type RemoteSide,
  type SnapshotReason,
} from './plan-start.ts'
import type { CaptureState } from './state/capture-state.ts'
import { type DatabaseState, type Owed, readOwed } from './state/owed.ts'
import { readOwnIdentity, writeOwnIdentity } from './state/own-identity.ts'
import { proveSpool } from './state/prove-spool.ts'
import { readRestored } from './state/restored.ts'
import type { Spool, SpoolFile } from './state/spool.ts'
import type { StateFolder } from './state/state-folder.ts'

/** How the start goes on, with the files that still have to be uploaded. */
export type StartDecision =
  | { readonly kind: 'continue'; readonly head: TXID; readonly pending: readonly SpoolFile[] }
  /** The database was scanned and is the replica's head: position and ledger are set. */
  | { readonly kind: 'adopted'; readonly head: TXID; readonly pending: readonly SpoolFile[] }
  /** What was captured was given up: the pages that it held, and all that changed since, lead from the base to what the database is. */
  | { readonly kind: 'owing'; readonly head: TXID; readonly base: DatabaseState; readonly owed: Owed }
  | {
      readonly kind: 'snapshot'
      readonly head: TXID | undefined
      readonly txid: TXID
      readonly reason: SnapshotReason
    }

/** What the decision is taken from. */
export interface StartContext {
  readonly attachment: Attachment
  readonly captureState: CaptureState
  readonly folder: StateFolder
  readonly replica: Replica
  readonly lease: Lease
  readonly writer: ReplicaWriter
  readonly onBehind: BehindPolicy
  readonly onDiverged: BehindPolicy
  /** What this process knows to be owed. Default: what is noted beside the database. */
  readonly owed?: Owed | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads both sides (one listing, one header) and decides.
 *
 * @throws PrimaryError `behind`, `diverged`, `wrong-database`; the store's errors: an unreadable replica is never taken for an empty one
 */
export async function decideStart(
  context: StartContext,
): Promise<{ readonly decision: StartDecision; readonly catalog: Catalog }> {
  const { replica, captureState } = context
  const { spool } = captureState
  const signal = context.signal && { signal: context.signal }
  const listed = await replica.catalog(signal)
  const { consistentList } = replica.store.capabilities
  const catalog = consistentList ? listed : await withNewestFiles(replica, listed, signal)
  const claim = await claimIdentity(context)
  const remote = await remoteSide(context, catalog, claim.epoch)
  dropOrphans(spool, captureState.position?.txid)
  const files = spool.list()
  const { local, owing } = await localSide(context, files, remote)
  const decision = await decide(context, { remote, local, owing, files, isKnown: claim.isKnown })
  // Only now: a place that was refused must be refused again.
  claim.accept()
  return { decision, catalog }
}

/** What both sides are known to be. */
interface Sides {
  readonly remote: RemoteSide | undefined
  readonly local: LocalSide | undefined
  readonly owing: Owing | undefined
  readonly files: readonly SpoolFile[]
  /** This database was replicated from here to that replica before, or the replica says nothing of whose it is. */
  readonly isKnown: boolean
}

async function decide(context: StartContext, sides: Sides): Promise<StartDecision> {
  const { attachment } = context
  const { spool } = context.captureState
  const { remote, local, files } = sides
  const { onBehind, onDiverged } = context
  const plan = planStart({ pageSize: attachment.pageSize, local, remote, onBehind, onDiverged })
  switch (plan.kind) {
    case 'refuse':
      throw behind(plan.head, plan.local)
    case 'diverged':
      throw takenOver()
    case 'snapshot':
      return { kind: 'snapshot', head: remote?.head || undefined, txid: plan.txid, reason: plan.reason }
    case 'compare': {
      const adopted = await attachment.capture.adopt(plan.head, plan.checksum, context.signal)
      if (adopted && plan.mayContinue) return { kind: 'adopted', head: plan.head, pending: [] }
      if (adopted) return { kind: 'snapshot', head: plan.head, txid: plan.txid, reason: 'late-writer' }
      if (plan.behind !== undefined) {
        if (onBehind === 'refuse') throw behind(plan.head, plan.behind)
        return { kind: 'snapshot', head: plan.head, txid: plan.txid, reason: 'behind' }
      }
      if (onDiverged === 'refuse' && !sides.isKnown) throw diverged()
      if (onDiverged === 'refuse' && remote?.takenOver) throw takenOver()
      return { kind: 'snapshot', head: plan.head, txid: plan.txid, reason: 'histories-differ' }
    }
    case 'continue': {
      if (sides.owing !== undefined) return { kind: 'owing', head: plan.head, ...sides.owing }
      for (const file of files) if (file.maxTXID <= plan.head) spool.remove(file)
      return { kind: 'continue', head: plan.head, pending: files.filter((file) => file.maxTXID > plan.head) }
    }
  }
}

function behind(head: TXID, local: TXID): PrimaryError {
  return new PrimaryError('behind', `the replica is at TXID ${head}, this copy of the database at ${local}`, {
    hint: 'An old copy was probably put back. Restore the newest state, or start with --on-behind snapshot to go on from this one; the replica keeps its history either way.',
  })
}

function diverged(): PrimaryError {
  return new PrimaryError('diverged', 'the replica holds another history than this database', {
    hint: 'Was it meant for another place? This database was never replicated from here. To make its state the newest one there, start with --on-diverged snapshot; what the replica holds stays restorable.',
  })
}

function takenOver(): PrimaryError {
  return new PrimaryError(
    'diverged',
    'another writer has taken over this replica, and this database has gone on without it',
    {
      hint: 'What was captured here and is not in the replica is in no other place. Restore the newest state over this database, which keeps that aside, or make this one the newest with --on-diverged snapshot; the other history stays restorable.',
    },
  )
}

async function remoteSide(
  { replica, lease, captureState, signal }: StartContext,
  catalog: Catalog,
  ownEpoch: bigint | undefined,
): Promise<RemoteSide | undefined> {
  const options = signal && { signal }
  const head = headOf(catalog)
  const late = lateFiles(lease, head)
  if (head === undefined) return late.lateBase && { head: toTXID(0n), connected: false, ...late }
  let newest: LTXFile | undefined
  try {
    newest = planRestore(catalog, { kind: 'latest' }).files.at(-1)
  } catch (error) {
    if (!isReplicaError(error)) throw error
    return { head, connected: false, ...late }
  }
  const header = await replica.header(newest as LTXFile, options)
  captureState.timeFloor = header.timestamp
  if (lease instanceof HeldLease) await lease.raiseAbove(header.nodeId, options)
  const takenOver = ownEpoch !== undefined && header.nodeId > ownEpoch
  return { head, connected: true, takenOver, postApplyChecksum: header.proof?.postApplyChecksum, ...late }
}

/** What former holders of the lease may still bring. A base up to the head is no matter: a newer one lies above it, or it arrived. */
function lateFiles(lease: Lease, head: TXID | undefined): Pick<RemoteSide, 'formerMayWrite' | 'lateBase'> {
  if (!(lease instanceof HeldLease)) return {}
  const { formerMayWrite, lateBase } = lease
  return { formerMayWrite, ...(lateBase !== undefined && lateBase > (head ?? 0n) && { lateBase }) }
}

/** Files that were spooled but never journaled: their frames are captured again. */
function dropOrphans(spool: Spool, captured: TXID | undefined): void {
  for (const file of spool.list()) {
    if (captured === undefined || file.maxTXID > captured) spool.remove(file)
  }
}

async function localSide(
  context: StartContext,
  files: readonly SpoolFile[],
  remote: RemoteSide | undefined,
): Promise<{ readonly local?: LocalSide; readonly owing?: Owing | undefined }> {
  const position = context.captureState.position
  if (position === undefined) return {}
  // Uploads come after the journal, so what was torn off it was damage, and the position is an old one (SPEC, L3).
  if (context.captureState.torn && remote !== undefined && remote.head > position.txid) return {}
  const proven = remote && (await proveSpool(files, remote.head, position, context.signal))
  let owing: Owing | undefined
  if (remote !== undefined && proven === undefined) {
    const owed = context.owed ?? readOwed(context.folder.owed)
    owing = await findOwing(owed, position, { head: remote.head, files, signal: context.signal })
  }
  const local = {
    txid: position.txid,
    postApplyChecksum: position.postApplyChecksum,
    pageSize: position.pageSize,
    checksumAtHead: proven ?? owing?.base.checksum,
    mayLag: context.captureState.outdated,
    restoredWhenHeadWas: readRestored(context.folder)?.headTXID,
  }
  return { local, owing }
}

/** Under which epoch files are written; undefined without a lease in the store. */
export function epochOf(lease: Lease): bigint | undefined {
  return lease instanceof HeldLease ? lease.epoch : undefined
}

interface Claim {
  readonly isKnown: boolean
  /** Of the lease under which this database was replicated from here last. */
  readonly epoch: bigint | undefined
  /** Notes the identity beside the database. */
  accept(): void
}

/** One replica belongs to one database. @throws PrimaryError `wrong-database` */
async function claimIdentity(context: StartContext): Promise<Claim> {
  const { folder, writer, attachment, replica } = context
  const options = context.signal && { signal: context.signal }
  const mine = readOwnIdentity(folder)
  const there = await replica.identity(options)
  if (there !== undefined && mine !== undefined && there.databaseId !== mine.databaseId) {
    throw new PrimaryError('wrong-database', 'this replica belongs to another database', {
      hint: 'Replicate to another place, or look with `sqlstream restore` whose data is in there.',
    })
  }
  const identity: Identity = there ?? {
    databaseId: mine?.databaseId ?? randomUUID(),
    pageSize: attachment.pageSize,
    created: new Date().toISOString(),
  }
  if (there === undefined) {
    const won = await writer.createIdentity(identity, options)
    if (won.databaseId !== identity.databaseId) {
      throw new PrimaryError('wrong-database', 'another database has claimed this replica just now')
    }
  }
  return {
    isKnown: mine !== undefined || there === undefined,
    epoch: mine?.epoch,
    accept: () => {
      const epoch = epochOf(context.lease)
      if (mine !== undefined && mine.epoch === epoch) return
      writeOwnIdentity(folder, { databaseId: identity.databaseId, epoch })
    },
  }
}
