import { type Pos, type TXID, toTXID } from '@sqlstream/ltx'
import { type Catalog, createCatalog, type Lease, ltxKey } from '@sqlstream/replica'
import type { Attachment } from './attachment.ts'
import { HeldLease } from './lease/held-lease.ts'
import type { Maintenance } from './maintenance/maintenance.ts'
import type { PrimaryOptions } from './options.ts'
import type { RestKeeper } from './rest-keeper.ts'
import { type FileSignature, isSettled, sameSignature } from './sqlite/file-signature.ts'
import type { WALEnd } from './sqlite/wal-end.ts'
import { decideStart, epochOf, type StartContext, type StartDecision } from './start.ts'
import { type OwnIdentity, tryReadOwnIdentity, writeOwnIdentity } from './state/own-identity.ts'
import { bootId, type KnownReplica, type RestRecord } from './state/rest-record.ts'
import type { Uploader } from './upload.ts'

/** A database that was let go with everything in its replica: nothing of it is open. */
export interface Rest {
  /** Everything up to here is in the replica, and copied into the database file. */
  readonly pos: Pos
  /** Of the database file at that time. */
  readonly signature: FileSignature
  /** Of its WAL. */
  readonly wal: FileSignature
  /** Up to where the WAL was known, with nothing behind. */
  readonly walEnd: WALEnd
  /** When that was so, ms since 1970 by the clock of the file system. */
  readonly at: number
  /** It goes on merging what was uploaded, and removing what is old. */
  readonly maintenance: Maintenance | undefined
}

/** What a primary leaves behind when it rests, for the next one: it need not ask the replica how it stands. */
export interface Resting extends Rest {
  readonly lease: Lease
  /** Has recorded it for the next process. */
  readonly keeper?: RestKeeper | undefined
}

/** A database and its WAL, as a scan of a folder sees them. */
export interface SeenFiles extends FileSignature {
  readonly wal?: FileSignature | undefined
  /** See `Candidate.settled`. */
  readonly settled: boolean
}

/** Nobody has written the database or its WAL since it was let go. */
export function isUnwritten(seen: SeenFiles, { signature, wal }: Pick<Rest, 'signature' | 'wal'>): boolean {
  if (!seen.settled || seen.wal === undefined) return false
  return sameSignature(seen, signature) && sameSignature(seen.wal, wal)
}

/**
 * Whether a database that another process has let go still rests: it is as it was left, in the same run of the machine, and it goes to
 * the same replica, with what maintenance needs to know.
 */
export function stillRests(
  record: RestRecord,
  seen: SeenFiles,
  { replicaName, maintenance }: Pick<PrimaryOptions, 'replicaName' | 'maintenance'>,
): boolean {
  const { replica, boot, at, signature, wal, known } = record
  if (replica !== replicaName || boot !== bootId()) return false
  if (known === undefined && maintenance !== 'never') return false
  return isSettled(signature, at) && isSettled(wal, at) && isUnwritten(seen, record)
}

/** What has to be looked at before a database can be let go. */
export interface Restable {
  readonly attachment: Attachment
  readonly captured: Pos
  readonly uploader: Uploader
  /** The clock of the file system, ms since 1970. */
  readonly now: number
}

/**
 * The signatures of a database that can be let go now: everything is captured, uploaded and copied into the file, and the
 * holder sits in slot 0, where it forbids further copying until it goes. Undefined while something is left to do.
 */
export function restableSignatures({
  attachment,
  captured,
  uploader,
  now,
}: Restable): Pick<Rest, 'signature' | 'wal' | 'walEnd' | 'at'> | undefined {
  const { files, holder, cycle, capture } = attachment
  if (uploader.pendingFiles > 0 || uploader.uploaded !== captured.txid) return undefined
  if (cycle.running || !holder.parked) return undefined
  const signature = files.signature()
  const wal = files.walSignature()
  if (!isSettled(signature, now) || !isSettled(wal, now)) return undefined
  // Behind the signatures: what was written before them is captured.
  const index = files.index()
  if (index.backfill < index.mxFrame || capture.isBehind()) return undefined
  // What a dead writer left behind it would become visible by a recovery, which writes neither file.
  const walEnd = capture.end
  return walEnd && { signature, wal, walEnd, at: now }
}

/** How to go on, and what is known of the replica. */
export interface Continuation {
  readonly decision: StartDecision
  /** Undefined where maintenance goes on that knows it. */
  readonly catalog?: Catalog
  readonly known?: KnownReplica | undefined
  /** Of the database when it was let go. */
  readonly signature?: FileSignature
}

/**
 * How to go on: as it was left, without a request, if the local state still says so; else as `decideStart` finds.
 * @param resting left by this process
 * @param recorded left by another one
 * @throws as `decideStart`
 */
export async function resumeOrDecide(
  {
    resting,
    recorded,
  }: { readonly resting?: Resting | undefined; readonly recorded?: RestRecord | undefined },
  context: StartContext & Pick<PrimaryOptions, 'replicaName' | 'maintenance'>,
): Promise<Continuation> {
  const left = resting ?? recorded
  const goesOn = left !== undefined && isAsLeft(left, context)
  if (!goesOn) return { ...(await decideStart(context)), ...(resting && { signature: resting.signature }) }
  const { pos, signature } = left
  const decision: StartDecision = { kind: 'continue', head: pos.txid, pending: [] }
  if (resting !== undefined) return { decision, signature }
  const { known, boot, databaseId } = recorded as RestRecord
  const own = tryReadOwnIdentity(context.folder)
  if (!isOurs(recorded as RestRecord, own, context) || (await wentOn(pos.txid, context)))
    return decideStart(context)
  const epoch = epochOf(context.lease)
  if (own?.epoch !== epoch) writeOwnIdentity(context.folder, { databaseId, epoch })
  const catalog = known?.catalog ?? createCatalog([])
  // A machine that has lost power may have lost the time of a change, but not the change.
  return { decision, catalog, known, ...(boot === bootId() && { signature }) }
}

/**
 * Whether the last holder has captured more since the record. A lease that was used in the first third of its time only is of the same version as
 * before, so one that nobody gave back may have been used: that record may be of an old volume.
 */
async function wentOn(txid: TXID, { lease, replica, signal }: StartContext): Promise<boolean> {
  if ((lease as HeldLease).former?.state === 'released') return false
  const startAfter = ltxKey(replica.layout, 0, { minTXID: toTXID(txid + 1n), maxTXID: toTXID(0) })
  const prefix = startAfter.slice(0, startAfter.lastIndexOf('/') + 1)
  for await (const _ of replica.store.list({ prefix, startAfter, signal })) return true
  return false
}

/** Somebody else may have replicated it meanwhile, or restored it. */
function isAsLeft({ pos }: Pick<Rest, 'pos'>, { captureState, attachment }: StartContext): boolean {
  const { position } = captureState
  return (
    position?.txid === pos.txid &&
    position.postApplyChecksum === pos.postApplyChecksum &&
    position.pageSize === attachment.pageSize &&
    captureState.spool.list().length === 0
  )
}

/** The same replica, and nobody has written it since: the lease was taken from the very version that we wrote last. */
function isOurs(
  { replica, databaseId, lease: left, known, pos }: RestRecord,
  own: OwnIdentity | undefined,
  { replicaName, maintenance, lease }: Parameters<typeof resumeOrDecide>[1],
): boolean {
  if (replica !== replicaName || databaseId !== own?.databaseId) return false
  if (known === undefined && maintenance !== 'never') return false
  if (!(lease instanceof HeldLease) || left === undefined) return false
  const { former, formerMayWrite, lateBase } = lease
  if (formerMayWrite || (lateBase !== undefined && lateBase > pos.txid)) return false
  return former?.holder === left.holder && former.renewal === left.renewal
}
