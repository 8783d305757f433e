import type { ETag, Precondition } from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import { FOLDER_IN_THE_WAY } from './folders.ts'
import { lstatIfThere } from './if-there.ts'
import type { Litter } from './litter.ts'
import { lackForConditions, type ServerFeatures } from './probe.ts'
import { linkNew, type Replacement, replaceVersion } from './replace-version.ts'
import { type CallContext, ConnectionFailure, failure, isMissing, RequestFailure } from './sftp-errors.ts'
import { type Attributes, fileETag } from './version.ts'

/** A written file that gets the name of its object. The same job is given again after the connection was lost. */
export interface PublishJob {
  readonly temp: string
  /** ETag of `temp`. */
  readonly ours: ETag
  readonly target: string
  readonly precondition: Precondition | undefined
  readonly replace: ServerFeatures['replace']
  readonly context: CallContext
  /** A rename was sent and not answered. */
  unansweredRename: boolean
  /** State of a replacement under way. */
  replacement?: Replacement | undefined
}

/** Makes the object visible, once, in one step. @returns whether `temp` is still there */
export async function publish(connection: Connection, job: PublishJob, litter: Litter): Promise<boolean> {
  const { precondition } = job
  switch (precondition?.kind) {
    case undefined:
      await rename(connection, job)
      return false
    case 'absent':
      await create(connection, job)
      return true
    case 'match': {
      const { temp, ours, target, context } = job
      job.replacement ??= { temp, ours, target, expected: precondition.etag, attempts: new Set() }
      const outcome = await replaceVersion(connection, job.replacement, litter)
      if (outcome === 'refused') throw mismatch(precondition, context)
      if (outcome === 'unknown') {
        const message = `${context.key} was replaced by us and then by another, or by another: the answer was lost`
        throw failure(context, 'unavailable', message, 'Read the object and decide anew.')
      }
      return true
    }
  }
}

/** @throws StorageError 'precondition-failed' when it does not hold already */
export function checkPrecondition(
  precondition: Precondition,
  attributes: Attributes | undefined,
  context: CallContext,
): void {
  const current = attributes?.kind === 'file' ? fileETag(attributes, true) : undefined
  const expected = precondition.kind === 'match' ? precondition.etag : undefined
  if (current !== expected) throw mismatch(precondition, context)
}

/** @throws StorageError 'unsupported' with what the server lacks */
export function checkConditions(features: ServerFeatures, context: CallContext): void {
  const lack = lackForConditions(features)
  if (lack === undefined) return
  throw failure(context, 'unsupported', 'conditional puts are not possible on this server', lack)
}

function mismatch(precondition: Precondition, context: CallContext): Error {
  const message =
    precondition.kind === 'absent'
      ? `${context.key} exists`
      : `${context.key} is not version ${precondition.etag}`
  return failure(context, 'precondition-failed', message)
}

async function rename(connection: Connection, job: PublishJob): Promise<void> {
  const { temp, target, replace = 'rename', context } = job
  for (let isSecond = false; ; isSecond = true) {
    try {
      return await connection[replace](temp, target)
    } catch (error) {
      if (error instanceof ConnectionFailure) job.unansweredRename = true
      // The one before it was carried out.
      if (isMissing(error) && job.unansweredRename) return
      if (!(error instanceof RequestFailure) || isMissing(error)) throw error
      const there = await lstatIfThere(connection, target)
      if (there?.kind === 'folder') {
        if (isSecond) throw inTheWay(job)
        await clearFolder(connection, job)
      } else if (there !== undefined && job.replace === undefined) {
        const hint = 'It has no posix-rename@openssh.com: use OpenSSH, or put new keys only.'
        throw failure(context, 'unsupported', 'the server cannot replace a file in one step', hint)
      } else throw error
    }
  }
}

/** A hard link fails when the name exists, which a rename does not. */
async function create(connection: Connection, job: PublishJob): Promise<void> {
  const { temp, ours, target, context } = job
  for (let isSecond = false; ; isSecond = true) {
    if (await linkNew(connection, temp, target)) return
    const there = await lstatIfThere(connection, target)
    if (there?.kind === 'file') {
      // It is ours when the answer to an earlier try was lost.
      if (fileETag(there, true) === ours) return
      throw mismatch({ kind: 'absent' }, context)
    }
    if (there?.kind !== 'folder' || isSecond) throw inTheWay(job)
    await clearFolder(connection, job)
  }
}

/** In an object store a folder vanishes with its last object; one that a crash left must not stand in the way. */
async function clearFolder(connection: Connection, job: PublishJob): Promise<void> {
  try {
    await connection.removeFolder(job.target)
  } catch (error) {
    if (error instanceof RequestFailure && !isMissing(error)) throw inTheWay(job)
    if (!isMissing(error)) throw error
  }
}

function inTheWay({ target, context }: PublishJob): Error {
  return failure(context, 'invalid-key', `${target} is a folder or no plain file`, FOLDER_IN_THE_WAY)
}
