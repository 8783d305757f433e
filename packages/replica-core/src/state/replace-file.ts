import { closeSync, fsyncSync, openSync, renameSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from './state-folder.ts'

/**
 * Replaces a file in one atomic step (temp, fsync, rename, fsync of the folder): whatever happens, it is the old one or the new one.
 *
 * @param write gets the descriptor of the new one
 * @param beforeRename called when the new one is durable, and not yet under its name
 * @throws the system's error; what `write` throws
 */
export function replaceFile(path: string, write: (fd: number) => void, beforeRename?: () => void): void {
  const temp = `${path}.tmp`
  const fd = openSync(temp, 'w')
  try {
    write(fd)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  beforeRename?.()
  renameSync(temp, path)
  syncFolder(dirname(path))
}

/** Does the same without holding up this thread. @throws the system's error */
export async function replaceFileLater(
  path: string,
  content: string,
  beforeRename?: () => void,
): Promise<void> {
  const temp = `${path}.tmp`
  await using file = await open(temp, 'w')
  await file.writeFile(content)
  await file.sync()
  beforeRename?.()
  await rename(temp, path)
  await syncFolderLater(dirname(path))
}

/** Makes the names in a folder durable without holding up this thread. @throws the system's error */
export async function syncFolderLater(path: string): Promise<void> {
  await using names = await open(path, 'r')
  await names.sync()
}
