import { type BigIntStats, constants } from 'node:fs'
import { chmod, copyFile, open } from 'node:fs/promises'
import { modificationSeconds } from './write-file.ts'

/** Owner may write: `utimes` and a sync need that on some systems. */
const OWNER_WRITES = 0o600

/**
 * Copies a file to a new one and makes its bytes durable; its name is not durable yet. Without a copy on disk where the file
 * system can share blocks (Btrfs, XFS, APFS), else in the kernel. The permissions are those of the source.
 */
export async function cloneFile(
  from: string,
  to: string,
  { mode, timestamp }: { readonly mode: number; readonly timestamp: Date | undefined },
): Promise<BigIntStats> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await chmod(to, (mode & 0o777) | OWNER_WRITES)
  const handle = await open(to, 'r+')
  try {
    const seconds = modificationSeconds(timestamp)
    await handle.utimes(seconds, seconds)
    await handle.sync()
    return await handle.stat({ bigint: true })
  } finally {
    await handle.close()
  }
}
