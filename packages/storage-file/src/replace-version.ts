import { link, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ETag } from '@sqlstream/storage'
import { hashFileName, type Mark, markName } from './hidden-names.ts'
import { systemCode } from './system-errors.ts'
import { fileETag, isMissing, statPath } from './version.ts'

/** A claim is held for a few system calls. One that stands longer belongs to a stopped or dead process. */
const PATIENCE_MS = 250
const POLL_MS = 5

/**
 * Moves `temp` over `target` if `target` is still the version `expected`, atomically against every other
 * caller of this function in any process on the file system. POSIX has no compare-and-rename, so:
 *
 * - To replace version E one must hold a *claim* on E: a hard link of the new file under a name made of
 *   the object, E and a generation. Making a link fails when the name exists, so there is one holder.
 * - The holder commits by renaming its claim to the target: the claim goes away with the commit.
 * - A claim that stands too long is renamed to a *dead* mark. If its holder wakes up, its rename finds
 *   nothing: it is fenced. A dead mark opens the next generation.
 * - The holder looks at the dead mark and at the target once more after it has the claim. ETags do not
 *   come back, so once the target is not E, nobody can commit against E, and the marks may go.
 *
 * Being too impatient costs a retry, never a lost update. A plain rename or an unlink of the target by
 * another process is not fenced.
 *
 * @returns false when the target is another version or does not exist; `temp` then has no effect
 */
export async function replaceVersion(temp: string, target: string, expected: ETag): Promise<boolean> {
  const folder = dirname(target)
  const object = hashFileName(basename(target))
  const mark = (kind: Mark['kind'], generation: number): string =>
    join(folder, markName({ kind, object, etag: expected, generation }))

  let generation = 0
  while (await isVersion(target, expected)) {
    const claim = mark('claim', generation)
    const dead = mark('dead', generation)
    if (await exists(dead)) {
      generation += 1
    } else if (await tryLink(temp, claim)) {
      // In this order: marks are cleared only after the target changed.
      const held = !(await exists(dead)) && (await isVersion(target, expected))
      if (!held) await remove(claim)
      else if (await tryRename(claim, target)) {
        for (let past = 0; past < generation; past++) await remove(mark('dead', past))
        return true
      }
    } else if (!(await waitUntilGone(claim))) {
      await tryRename(claim, dead)
    }
  }
  return false
}

async function isVersion(path: string, etag: ETag): Promise<boolean> {
  const stats = await statPath(path)
  return stats?.isFile() === true && fileETag(stats) === etag
}

async function exists(path: string): Promise<boolean> {
  return (await statPath(path)) !== undefined
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Removes a file that may already be gone. */
export async function remove(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function waitUntilGone(path: string): Promise<boolean> {
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    await sleep(POLL_MS)
    if (!(await exists(path))) return true
  }
  return false
}
