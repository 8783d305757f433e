import { readdir } from 'node:fs/promises'
import { isKey } from '@sqlstream/storage'
import { isMissing } from './system-errors.ts'

export interface FolderEntry {
  readonly name: string
  readonly kind: 'file' | 'folder'
}

/** Reads one folder; an empty list when it does not exist. */
export type ReadFolder = (path: string) => Promise<readonly FolderEntry[]>

export interface WalkOptions {
  readonly prefix: string
  readonly startAfter: string
  readonly readFolder?: ReadFolder | undefined
}

/**
 * Keys of all files below a folder in the byte order of whole keys, one folder in memory at a time per
 * level. Folders that hold nothing of the prefix, or nothing after `startAfter`, are not read.
 */
export async function* walkKeys(root: string, options: WalkOptions): AsyncGenerator<string, void> {
  const { prefix, startAfter, readFolder = readLegalEntries } = options

  // `base` is '' or a key prefix that ends in a slash.
  async function* walk(base: string): AsyncGenerator<string, void> {
    const entries = await readFolder(`${root}/${base}`)
    // All keys of a folder start with its name and a slash, so with the slash it sorts where they do:
    // "a-b" < "a.b" < "a/…" < "ab".
    const parts = entries.map((entry) => (entry.kind === 'folder' ? `${entry.name}/` : entry.name))
    for (const part of parts.sort()) {
      const key = base + part
      if (!part.endsWith('/')) {
        if (key.startsWith(prefix) && key > startAfter) yield key
      } else if (
        (key.startsWith(prefix) || prefix.startsWith(key)) &&
        (key > startAfter || startAfter.startsWith(key))
      ) {
        yield* walk(key)
      }
    }
  }

  yield* walk(prefix.slice(0, prefix.lastIndexOf('/') + 1))
}

/** Files and folders whose names can be part of a key. Symbolic links are neither: they may leave the root. */
export async function readLegalEntries(path: string): Promise<FolderEntry[]> {
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
