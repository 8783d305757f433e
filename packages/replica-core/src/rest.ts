import type { Pos } from '@sqlstream/ltx'
import type { Catalog, Lease } from '@sqlstream/replica'
import type { Attachment } from './attachment.ts'
import type { Maintenance } from './maintenance/maintenance.ts'
import { type FileSignature, SETTLED_MS } from './sqlite/file-signature.ts'
import { decideStart, type StartContext, type StartDecision } from './start.ts'
import type { Uploader } from './upload.ts'

/** A database that was let go with everything in its replica: nothing of it is open. */
export interface Rest {
  /** Everything up to here is in the replica, and copied into the database file. */
  readonly pos: Pos
  /** Of the database file at that time. */
  readonly signature: FileSignature
  /** Of its WAL. */
  readonly wal: FileSignature
  /** It goes on merging what was uploaded, and removing what is old. */
  readonly maintenance: Maintenance | undefined
}

/** What a primary leaves behind when it rests, for the next one: it need not ask the replica how it stands. */
export interface Resting extends Rest {
  readonly lease: Lease
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
}: Restable): Pick<Rest, 'signature' | 'wal'> | undefined {
  const { files, holder, cycle, capture } = attachment
  if (uploader.pendingFiles > 0 || uploader.uploaded !== captured.txid) return undefined
  if (cycle.running || !holder.parked) return undefined
  const signature = files.signature()
  const wal = files.walSignature()
  if (!isSettled(signature, now) || !isSettled(wal, now)) return undefined
  // Behind the signatures: what was written before them is captured.
  const index = files.index()
  return index.backfill < index.mxFrame || capture.isBehind() ? undefined : { signature, wal }
}

function isSettled({ mtimeNs, ctimeNs }: FileSignature, now: number): boolean {
  return now - Math.max(Number(mtimeNs), Number(ctimeNs)) / 1e6 >= SETTLED_MS
}

/**
 * How to go on: as it was left, without a request, if the local state still says so; else as `decideStart` finds.
 * @returns the catalog where the replica was asked
 * @throws as `decideStart`
 */
export async function resumeOrDecide(
  resting: Resting | undefined,
  context: StartContext,
): Promise<{ readonly decision: StartDecision; readonly catalog?: Catalog }> {
  if (resting === undefined || !isAsLeft(resting, context)) return decideStart(context)
  return { decision: { kind: 'continue', head: resting.pos.txid, pending: [] } }
}

/** Somebody else may have replicated it meanwhile, or restored it. */
function isAsLeft({ pos }: Resting, { captureState, attachment }: StartContext): boolean {
  const { position } = captureState
  return (
    position?.txid === pos.txid &&
    position.postApplyChecksum === pos.postApplyChecksum &&
    position.pageSize === attachment.pageSize &&
    captureState.spool.list().length === 0
  )
}
