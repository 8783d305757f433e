import { isPrimaryError } from './errors.ts'
import type { DiskUse } from './plan-disk.ts'
import type { Replication } from './replication.ts'

/** Pages are compressed, and written several times to the WAL: a capture has about this part of its bytes. */
const SHARE = 0.5

const NOTHING: DiskUse = { spoolBytes: 0, walBytes: 0, incomingBytes: 0 }

/** What a database takes of the disk, as far as giving up would bring it back. */
export function diskUseOf(replication: Replication): DiskUse {
  const { attachment, position, suspension, uploader, pinned, lastError } = replication
  if (attachment === undefined || suspension.error !== undefined) return NOTHING
  const { salt1, salt2, mxFrame } = attachment.files.index()
  const spoolBytes = uploader.pendingBytes
  const isFailing = isPrimaryError(lastError, 'disk-full')
  // What is kept from being restarted is not captured either, so it must not count twice.
  if (pinned || isFailing)
    return { spoolBytes, walBytes: mxFrame * attachment.pageSize, incomingBytes: 0, isFailing }
  const captured = position?.wal.salt1 === salt1 && position.wal.salt2 === salt2 ? position.wal.frame : 0
  const behind = Math.max(0, mxFrame - captured) * attachment.pageSize
  return { spoolBytes, walBytes: 0, incomingBytes: Math.floor(behind * SHARE) }
}
