import { posix } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ETag } from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import { claimName, hashFileName, isTempName, tempName } from './hidden-names.ts'
import { lstatIfThere, removeIfThere } from './if-there.ts'
import type { Litter } from './litter.ts'
import { ConnectionFailure, isMissing, RequestFailure } from './sftp-errors.ts'
import { fileETag } from './version.ts'

/** A claim is held for a few requests. One that stands longer belongs to a stopped or dead process. */
const PATIENCE_MS = 2000
const POLL_MS = 20
/** A name that others make and remove can be met and missed again; this often in a row it is another failure. */
const LINK_ATTEMPTS = 5

/** One replacement; the same object is given again after the connection was lost. */
export interface Replacement {
  /** File that holds the new version. It stays. */
  readonly temp: string
  /** ETag of `temp`. */
  readonly ours: ETag
  readonly target: string
  readonly expected: ETag
  /** Names of all attempts so far. */
  readonly attempts: Set<string>
  /** An attempt whose commit was sent and not answered. */
  unanswered?: string | undefined
}

export type ReplaceOutcome = 'replaced' | 'refused' | 'unknown'

/**
 * Puts a link of `temp` over `target` if `target` is still the version `expected`, atomically against every other
 * caller of this function on any machine. SFTP has no compare-and-rename, so:
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
 * retry, never an update. It makes no difference whether a holder is slow or its requests are, so a request that a
 * lost connection left behind is fenced like a stopped process: our own claim is met as that of another. What is not fenced:
 * a put without condition and a delete by another process.
 *
 * @returns 'unknown' when a commit was not answered, and the target is another version by now: ours and replaced again, or never ours
 */
export async function replaceVersion(
  connection: Connection,
  replacement: Replacement,
  litter: Litter,
  patienceMs: number = PATIENCE_MS,
): Promise<ReplaceOutcome> {
  const { temp, target, expected } = replacement
  const folder = posix.dirname(target)
  const object = hashFileName(posix.basename(target))
  const claimOf = (generation: number): string =>
    posix.join(folder, claimName({ object, etag: expected, generation }))

  if (replacement.unanswered !== undefined && (await removeIfThere(connection, replacement.unanswered))) {
    replacement.unanswered = undefined
  }
  for (let generation = 0; ; ) {
    const version = await versionOf(connection, target)
    if (version !== expected) return outcomeOf(version, replacement)
    const claim = claimOf(generation)
    const name = tempName()
    const attempt = posix.join(folder, name)
    replacement.attempts.add(name)
    await connection.link(temp, attempt)
    try {
      if (await makeClaim(connection, claim, attempt, litter)) {
        // Only now: before the claim, another could have claimed, committed and cleared up.
        const current = (await versionOf(connection, target)) === expected
        const replaced = current && (await commit(connection, attempt, replacement))
        if (replaced || !current) {
          for (let past = 0; past <= generation; past++) await removeIfThere(connection, claimOf(past))
          if (replaced) return 'replaced'
          continue
        }
        generation += 1
      } else {
        const holder = await readClaim(connection, claim)
        if (holder === undefined) continue
        const isDead = replacement.attempts.has(holder)
        if (!isDead && (await isOver(connection, claim, replacement, patienceMs))) continue
        // From here the holder cannot commit any more.
        if (isTempName(holder)) await removeIfThere(connection, posix.join(folder, holder))
        generation += 1
      }
    } finally {
      // An unanswered one is asked about first, see above.
      if (replacement.unanswered !== attempt) await litter.discard(connection, attempt)
    }
  }
}

function outcomeOf(version: ETag | undefined, { ours, unanswered }: Replacement): ReplaceOutcome {
  if (version === ours) return 'replaced'
  return unanswered === undefined ? 'refused' : 'unknown'
}

/** @returns false when the claim exists */
async function makeClaim(
  connection: Connection,
  claim: string,
  attempt: string,
  litter: Litter,
): Promise<boolean> {
  const note = posix.join(posix.dirname(claim), tempName())
  const handle = await connection.create(note)
  try {
    await Promise.all([
      connection.write(handle, Buffer.from(posix.basename(attempt)), 0),
      connection.close(handle),
    ])
    return await linkNew(connection, note, claim)
  } finally {
    await litter.discard(connection, note)
  }
}

/** @returns false when the name exists */
export async function linkNew(connection: Connection, from: string, to: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.link(from, to)
      return true
    } catch (error) {
      if (!(error instanceof RequestFailure) || isMissing(error)) throw error
      // The protocol only says that it failed. If the name is not there, it may have been a moment ago.
      if ((await lstatIfThere(connection, to)) !== undefined) return false
      if (attempt === LINK_ATTEMPTS) throw error
    }
  }
}

/** @returns false when the attempt was fenced */
async function commit(connection: Connection, attempt: string, replacement: Replacement): Promise<boolean> {
  try {
    await connection.replace(attempt, replacement.target)
    return true
  } catch (error) {
    if (error instanceof ConnectionFailure) replacement.unanswered = attempt
    if (isMissing(error)) return false
    throw error
  }
}

/** The attempt that a claim names; undefined when the claim is gone. */
async function readClaim(connection: Connection, claim: string): Promise<string | undefined> {
  try {
    const handle = await connection.open(claim)
    const bytes = Buffer.alloc(255)
    const size = await connection.read(handle, bytes, 0)
    await connection.close(handle)
    return bytes.toString('latin1', 0, size)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Waits until the holder of a claim has committed or given up; false when that takes too long. */
async function isOver(
  connection: Connection,
  claim: string,
  { target, expected }: Replacement,
  patienceMs: number,
): Promise<boolean> {
  for (const start = performance.now(); performance.now() - start < patienceMs; ) {
    await sleep(POLL_MS)
    if ((await lstatIfThere(connection, claim)) === undefined) return true
    if ((await versionOf(connection, target)) !== expected) return true
  }
  return false
}

async function versionOf(connection: Connection, path: string): Promise<ETag | undefined> {
  const attributes = await lstatIfThere(connection, path)
  return attributes?.kind === 'file' ? fileETag(attributes, true) : undefined
}
