import type { Attachment } from './attachment.ts'

/** Frames from which on a WAL is copied. */
const LONG_FRAMES = 1000
/** A file up to this size is left as it is. */
const SMALL_BYTES = 4 << 20

/**
 * Gives the disk space of a WAL back that nothing is captured of: whatever is in it, all pages will be compared. An application that
 * leaves checkpoints to us would fill the disk with it.
 */
export async function relieveWAL(attachment: Attachment): Promise<void> {
  const { files } = attachment
  const index = files.index()
  const size = files.walSize()
  if (index.mxFrame < LONG_FRAMES && size <= SMALL_BYTES) return
  const { busy, log, checkpointed } = await attachment.checkpoint('passive')
  // It waits for writers and readers 50 ms at most, so the next time will do.
  if (!busy && log === checkpointed && size > SMALL_BYTES) await attachment.checkpoint('truncate')
}
