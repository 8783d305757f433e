import { link, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ETag } from '@sqlstream/storage'
import { claimName, hashFileName, isTempName, tempName } from './hidden-names.ts'
import { removeIfThere, statIfThere } from './if-there.ts'
import { isMissing, systemCode } from './system-errors.ts'
import { fileETag } from './version.ts'

/** A claim is held for a few system calls. One that stands longer belongs to a stopped or dead process. */
const PATIENCE_MS = 250
const POLL_MS = 5

/**
 * Moves `temp` over `target` if `target` is still the version `expected`, atomically against every other
 * caller of this function in any process on the file system. POSIX has no compare-and-rename, so:
 *
 * - Who wants to replace version E makes an *attempt*, a hard link of `temp` with a new name, and then a
 *   *claim* on E that names the attempt. The name of a claim consists of object, E and a generation, and
 *   it is made by a link, which fails when it exists: there is one holder per generation.
 * - The holder looks at the target once more and commits by renaming the attempt to it.
 * - Who meets the claim of another waits a moment, then removes the attempt that it names and claims the
 *   next generation. From then on the commit of the former holder finds nothing to rename: it is fenced.
 * - Claims stay until the target is another version. ETags do not come back, so nobody commits after that.
 *
 * So of all holders only the one of the highest generation can commit, and being too impatient costs a
 * retry, never an update. A plain rename or an unlink of the target by another process is not fenced.
 *
 * @returns false when the target is another version or does not exist; then nothing was done
 */
export async function replaceVersion(
  temp: string,
  target: string,
  expected: ETag,
  patienceMs: number = PATIENCE_MS,
): Promise<boolean> {
  const folder = dirname(target)
  const object = hashFileName(basename(target))
  const claimOf = (generation: number): string =>
    join(folder, claimName({ object, etag: expected, generation }))

  for (let generation = 0; await isVersion(target, expected); ) {
    const claim = claimOf(generation)
    const attempt = join(folder, tempName())
    await link(temp, attempt)
    try {
      if (await makeClaim(claim, attempt)) {
        // Only now: before the claim, another could have claimed, committed and cleared up.
        const current = await isVersion(target, expected)
        const replaced = current && (await tryRename(attempt, target))
        if (replaced || !current) {
          for (let past = 0; past <= generation; past++) await removeIfThere(claimOf(past))
          return replaced
        }
        generation += 1
      } else if (!(await isOver(claim, target, expected, patienceMs))) {
        await fence(claim)
        generation += 1
      }
    } finally {
      await removeIfThere(attempt)
    }
  }
  return false
}

/** @returns false when the claim exists */
async function makeClaim(claim: string, attempt: string): Promise<boolean> {
  const note = join(dirname(claim), tempName())
  await writeFile(note, basename(attempt), { flag: 'wx' })
  try {
    await link(note, claim)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await removeIfThere(note)
  }
}

/** Makes sure that the holder of a claim cannot commit any more. */
async function fence(claim: string): Promise<void> {
  try {
    const attempt = await readFile(claim, 'utf8')
    if (isTempName(attempt)) await removeIfThere(join(dirname(claim), attempt))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Waits until the holder of a claim has committed or given up; false when that takes too long. */
async function isOver(claim: string, target: string, expected: ETag, patienceMs: number): Promise<boolean> {
  for (let waited = 0; waited < patienceMs; waited += POLL_MS) {
    await sleep(POLL_MS)
    if ((await statIfThere(claim)) === undefined || !(await isVersion(target, expected))) return true
  }
  return false
}

async function isVersion(path: string, etag: ETag): Promise<boolean> {
  const stats = await statIfThere(path)
  return stats?.isFile() === true && fileETag(stats) === etag
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
