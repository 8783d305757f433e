import { type FolderEntry, isKey } from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import { lstatIfThere } from './if-there.ts'
import { RequestFailure } from './sftp-errors.ts'
import type { Attributes } from './version.ts'

/** What a listing meets in a folder. */
export interface ListedEntry extends FolderEntry {
  readonly attributes: Attributes
}

/** Files and folders whose names can be part of a key; undefined when there is no such folder. */
export async function readListed(connection: Connection, path: string): Promise<ListedEntry[] | undefined> {
  try {
    const entries = await connection.readFolder(path)
    return entries.flatMap(({ name, attributes }): ListedEntry[] =>
      attributes.kind !== 'other' && isKey(name) ? [{ name, kind: attributes.kind, attributes }] : [],
    )
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error
    // Not every server says that it is missing, or a file.
    if ((await lstatIfThere(connection, path))?.kind === 'folder') throw error
    return undefined
  }
}
