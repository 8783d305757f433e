import { linkSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { ReplicaError } from '../index.ts'
import { SIDECARS, statIfThere, syncFolder } from './folder.ts'
import { sweep, type TempFile } from './temp-file.ts'

// File systems without hard links answer with one of these.
const NO_LINKS: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives a finished temp file the target's name. Whenever the process dies in here, the target is what it was, absent, or
 * complete, and never beside another database's WAL.
 */
export async function publish(temp: TempFile, overwrite: boolean): Promise<void> {
  const { path } = temp.target
  temp.close()
  if (!temp.isInPlace()) {
    throw new ReplicaError('sink-exists', `another restore to ${path} has begun meanwhile`)
  }
  // The check may have left a WAL beside the temp file; a check that only reads leaves it empty.
  for (const suffix of SIDECARS) rmSync(temp.path + suffix, { force: true })
  if (overwrite) await replace(temp.path, path)
  else await create(temp.path, path)
  await syncFolder(dirname(path))
  if (overwrite) for (const suffix of ['', ...SIDECARS]) rmSync(aside(path, suffix), { force: true })
}

/** The error for a target that is there and may not be replaced. */
export function existsError(path: string): ReplicaError {
  return new ReplicaError('sink-exists', `${path} exists`, {
    hint: 'Choose another path, or say that it may be overwritten.',
  })
}

/** Fails if the target exists at the very moment at which it would appear. */
async function create(temp: string, path: string): Promise<void> {
  if (statIfThere(path)) throw existsError(path)
  const moved = moveAside(path, SIDECARS)
  if (moved.length > 0) await syncFolder(dirname(path))
  try {
    linkSync(temp, path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') {
      for (const suffix of moved) renameSync(aside(path, suffix), path + suffix)
      throw existsError(path)
    }
    if (!NO_LINKS.has(code)) throw error
    // The best that such a file system allows: another process would have to create the file in this very instant.
    if (statIfThere(path)) throw existsError(path)
    renameSync(temp, path)
    return
  }
  sweep(temp)
}

/** Replaces a database together with its WAL. */
async function replace(temp: string, path: string): Promise<void> {
  // A database loses transactions without its WAL, so it goes first, and its sidecars follow it under their new name.
  const hasSidecars = SIDECARS.some((suffix) => statIfThere(path + suffix))
  if (hasSidecars) {
    moveAside(path, ['', ...SIDECARS])
    await syncFolder(dirname(path))
  }
  renameSync(temp, path)
}

/** Moves those of a database's files that exist; returns which. */
function moveAside(path: string, suffixes: readonly string[]): string[] {
  const there = suffixes.filter((suffix) => statIfThere(path + suffix))
  for (const suffix of there) renameSync(path + suffix, aside(path, suffix))
  return there
}

/** Old files keep SQLite's naming, so that they can still be opened together. */
function aside(path: string, suffix: string): string {
  return `${path}.sqlstream-old${suffix}`
}

function codeOf(error: unknown): unknown {
  return error instanceof Error ? Reflect.get(error, 'code') : undefined
}
