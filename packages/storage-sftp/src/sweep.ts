import { posix } from 'node:path'
import { type AbortOptions, isKey } from '@sqlstream/storage'
import type { Connection, NamedAttributes } from './connection.ts'
import { HIDDEN_PREFIX, hashFileName, parseClaimName, timeOfTempName } from './hidden-names.ts'
import { removeIfThere } from './if-there.ts'
import { isMissing } from './sftp-errors.ts'
import { fileETag } from './version.ts'

export interface SweepOptions extends AbortOptions {
  /** Only files begun longer ago than this. Must exceed the longest upload. Default: one hour. */
  readonly olderThanMs?: number | undefined
}

export interface SweepResult {
  /** Files removed. */
  readonly files: number
}

/** Removes what crashed processes left behind in a folder and all folders below it. */
export async function sweepFolder(
  connection: Connection,
  root: string,
  options: SweepOptions,
): Promise<SweepResult> {
  const { olderThanMs = 3_600_000, signal } = options
  const before = Date.now() - olderThanMs
  const pending = [root]
  let files = 0
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const entries = await readEntries(connection, folder)
    for (const { name, attributes } of entries) {
      signal?.throwIfAborted()
      if (attributes.kind === 'folder' && isKey(name)) pending.push(posix.join(folder, name))
      if (attributes.kind !== 'file' || !name.startsWith(HIDDEN_PREFIX)) continue
      // A temporary file may have the time of its content, which can be years ago; a claim has its own.
      if ((timeOfTempName(name) ?? attributes.mtime * 1000) > before || isNeeded(name, entries)) continue
      if (await removeIfThere(connection, posix.join(folder, name))) files += 1
    }
  }
  return { files }
}

/** A claim fences a stopped process as long as the object is still the version that it is about. */
function isNeeded(hidden: string, entries: readonly NamedAttributes[]): boolean {
  const claim = parseClaimName(hidden)
  if (claim === undefined) return false
  const object = entries.find(({ name }) => hashFileName(name) === claim.object)
  return object !== undefined && fileETag(object.attributes, true) === claim.etag
}

async function readEntries(connection: Connection, folder: string): Promise<NamedAttributes[]> {
  try {
    return await connection.readFolder(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
