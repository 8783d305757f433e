import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AbortOptions, isKey } from '@sqlstream/storage'
import { HIDDEN_PREFIX, hashFileName, parseClaimName } from './hidden-names.ts'
import { removeIfThere, statIfThere } from './if-there.ts'
import { isMissing } from './system-errors.ts'
import { fileETag } from './version.ts'

export interface SweepOptions extends AbortOptions {
  /** Only files unchanged for longer than this. Must exceed the longest upload. Default: one hour. */
  readonly olderThanMs?: number | undefined
}

export interface SweepResult {
  /** Files removed and their bytes. */
  readonly files: number
  readonly bytes: number
}

/** Removes what crashed processes left behind in a folder and all folders below it. */
export async function sweepFolder(root: string, options: SweepOptions): Promise<SweepResult> {
  const { olderThanMs = 3_600_000, signal } = options
  const before = Date.now() - olderThanMs
  const pending = [root]
  let files = 0
  let bytes = 0
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const names: string[] = []
    const hidden: string[] = []
    for (const entry of await readEntries(folder)) {
      if (entry.isDirectory() && isKey(entry.name)) pending.push(join(folder, entry.name))
      else if (entry.isFile()) (entry.name.startsWith(HIDDEN_PREFIX) ? hidden : names).push(entry.name)
    }
    for (const name of hidden) {
      signal?.throwIfAborted()
      const stats = await statIfThere(join(folder, name))
      // The change time: the modification time is the caller's and may be years ago.
      if (stats === undefined || Number(stats.ctimeNs / 1_000_000n) > before) continue
      if (await isNeeded(folder, name, names)) continue
      await removeIfThere(join(folder, name))
      files += 1
      if (stats.nlink === 1n) bytes += Number(stats.size)
    }
  }
  return { files, bytes }
}

/** A claim fences a stopped process as long as the object is still the version that it is about. */
async function isNeeded(folder: string, hidden: string, names: readonly string[]): Promise<boolean> {
  const claim = parseClaimName(hidden)
  if (claim === undefined) return false
  const name = names.find((candidate) => hashFileName(candidate) === claim.object)
  const stats = name === undefined ? undefined : await statIfThere(join(folder, name))
  return stats !== undefined && fileETag(stats) === claim.etag
}

async function readEntries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
