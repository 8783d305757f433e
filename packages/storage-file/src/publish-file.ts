import type { BigIntStats } from 'node:fs'
import { link, rename, rmdir } from 'node:fs/promises'
import type { Precondition } from '@sqlstream/storage'
import type { FileCalls } from './file-calls.ts'
import { replaceVersion } from './replace-version.ts'
import type { Root } from './root.ts'
import { type CallContext, failure, systemCode } from './system-errors.ts'
import { fileETag } from './version.ts'

/** Gives a file that was written its name, in one step, if the precondition holds. */
export async function publishFile(
  temp: string,
  path: string,
  precondition: Precondition | undefined,
  context: CallContext,
  root: Root,
): Promise<void> {
  switch (precondition?.kind) {
    case undefined:
      await clearEmptyFolder(root.calls, path)
      return rename(temp, path)
    case 'absent':
      return linkNew(root.calls, temp, path, context)
    case 'match':
      if (await replaceVersion(temp, path, precondition.etag)) return
      // Refused for a moment in which the disk was away, it is not lost to another writer.
      checkPrecondition(precondition, await root.statInside(path, context), context)
      throw failure(context, 'unavailable', `${context.key} was away while it was replaced`)
  }
}

/** @throws StorageError 'precondition-failed' when it does not hold for what is there */
export function checkPrecondition(
  precondition: Precondition,
  stats: BigIntStats | undefined,
  context: CallContext,
): void {
  const current = stats?.isFile() === true ? fileETag(stats) : undefined
  const expected = precondition.kind === 'match' ? precondition.etag : undefined
  if (current !== expected) throw mismatch(precondition, context)
}

function mismatch(precondition: Precondition, context: CallContext): Error {
  const message =
    precondition.kind === 'absent'
      ? `${context.key} exists`
      : `${context.key} is not version ${precondition.etag}`
  return failure(context, 'precondition-failed', message)
}

/** A hard link fails when the name exists, which a rename does not. */
async function linkNew(calls: FileCalls, temp: string, path: string, context: CallContext): Promise<void> {
  try {
    await link(temp, path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const [ours, theirs] = [await calls.lstat(temp), await calls.lstat(path)]
    if (theirs?.isDirectory() === true) {
      // See `clearEmptyFolder`.
      await rmdir(path)
      return linkNew(calls, temp, path, context)
    }
    // A network file system repeats a link whose answer was lost, and then finds its own work.
    if (ours === undefined || theirs === undefined || ours.ino !== theirs.ino) {
      throw mismatch({ kind: 'absent' }, context)
    }
  }
}

/** In an object store a folder vanishes with its last object; one that a crash left must not stand in the way. */
async function clearEmptyFolder(calls: FileCalls, path: string): Promise<void> {
  const stats = await calls.lstat(path)
  if (stats?.isDirectory() === true) await rmdir(path)
}
