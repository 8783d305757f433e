import type { BigIntStats } from 'node:fs'
import { lstat, unlink } from 'node:fs/promises'
import { isMissing } from './system-errors.ts'

// Calls for which a missing file is an answer and no error.

/** The state of a path itself, never of what a symbolic link points to; undefined when nothing is there. */
export async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  return await lstat(path, { bigint: true }).catch(ifMissing)
}

/** Undefined for what is missing. @throws any other error */
export function ifMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}

/** @returns whether it was there */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
