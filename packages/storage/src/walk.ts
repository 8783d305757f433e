/** One name in a folder of a store that has folders. */
export interface FolderEntry {
  readonly name: string
  readonly kind: 'file' | 'folder'
}

/** A key and the entry that its last segment is. */
export interface WalkedEntry<Entry extends FolderEntry> {
  readonly key: string
  readonly entry: Entry
}

/** What a walk selects, as in `ListOptions`. */
export interface WalkOptions {
  readonly prefix: string
  readonly startAfter: string
}

/**
 * For stores with folders: all files in the byte order of whole keys, one folder in memory at a time per level. Folders
 * that hold nothing of the prefix, or nothing after `startAfter`, are not read. `readFolder` gets '' or the key of a
 * folder with a slash at its end, and resolves with entries in any order, none for a folder that does not exist.
 */
export async function* walkFolders<Entry extends FolderEntry>(
  readFolder: (base: string) => Promise<readonly Entry[]>,
  options: WalkOptions,
): AsyncGenerator<WalkedEntry<Entry>, void> {
  const { prefix, startAfter } = options

  async function* walk(base: string): AsyncGenerator<WalkedEntry<Entry>, void> {
    const entries = new Map<string, Entry>()
    // All keys of a folder start with its name and a slash, so with the slash it sorts where they do:
    // "a-b" < "a.b" < "a/…" < "ab".
    for (const entry of await readFolder(base)) {
      entries.set(entry.kind === 'folder' ? `${entry.name}/` : entry.name, entry)
    }
    for (const part of [...entries.keys()].sort()) {
      const key = base + part
      if (!part.endsWith('/')) {
        if (key.startsWith(prefix) && key > startAfter) yield { key, entry: entries.get(part)! }
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
