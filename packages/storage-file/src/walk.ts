import { readdir } from 'node:fs/promises'
import { type FolderEntry, isKey, type WalkOptions, walkFolders } from '@sqlstream/storage'
import { isMissing } from './system-errors.ts'

/** Keys of all files below a folder, in byte order. */
export async function* walkKeys(root: string, options: WalkOptions): AsyncGenerator<string, void> {
  for await (const { key } of walkFolders((base) => readLegalEntries(`${root}/${base}`), options)) yield key
}

/** Files and folders whose names can be part of a key. Symbolic links are neither: they may leave the root. */
async function readLegalEntries(path: string): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = []
  try {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (!isKey(entry.name)) continue
      if (entry.isFile()) entries.push({ name: entry.name, kind: 'file' })
      else if (entry.isDirectory()) entries.push({ name: entry.name, kind: 'folder' })
    }
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  return entries
}
