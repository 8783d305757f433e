import type { WALIndexHeader } from '@sqlstream/wal'
import type { DatabaseFiles } from '../sqlite/database-files.ts'
import { type FileSignature, sameSignature } from '../sqlite/file-signature.ts'
import type { WALPosition } from '../state/position.ts'
import type { FrameTable } from './frame-table.ts'
import { START_OF_GENERATION, type WALScan } from './scan.ts'

/**
 * First proof that nothing was missed: the same generation, at least as long, and our last frame carries the checksum that
 * we remember. The running checksum covers every frame before it.
 */
export function isSameGeneration(
  wal: WALPosition,
  index: WALIndexHeader,
  scan: WALScan,
  table: FrameTable,
): boolean {
  if (wal.frame === 0 || (wal.salt1 === 0 && wal.salt2 === 0)) return false
  if (index.salt1 !== wal.salt1 || index.salt2 !== wal.salt2 || index.mxFrame < wal.frame) return false
  try {
    const upToUs = {
      ...index,
      mxFrame: wal.frame,
      frameChecksum1: wal.checksum1,
      frameChecksum2: wal.checksum2,
    }
    return scan.scan({ ...wal, ...START_OF_GENERATION }, upToUs, table, Number.POSITIVE_INFINITY).complete
  } catch {
    return false
  }
}

/**
 * Second proof: all of our generation was in the database file when it was let go, and nobody has written the file since. So no
 * checkpoint ran, and every commit since is in the generation that is there now, from its start.
 *
 * @param signature of that time, at least 20 ms younger than the file's last change: times of files have ticks
 * @returns the start of the generation
 */
export function generationAfter(
  wal: WALPosition,
  files: DatabaseFiles,
  signature: FileSignature,
): WALPosition | undefined {
  const { salt1, salt2, backfill } = files.index()
  // Of our own generation only the first proof can say that our frames are still there.
  if (salt1 === wal.salt1 && salt2 === wal.salt2) return undefined
  // The index before the file: a checkpoint that runs meanwhile is seen in one of them.
  if (backfill !== 0 || !sameSignature(files.signature(), signature)) return undefined
  return { salt1, salt2, ...START_OF_GENERATION }
}
