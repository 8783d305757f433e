import type { Connection } from './connection.ts'
import { isMissing } from './sftp-errors.ts'
import type { Attributes } from './version.ts'

// Requests for which a missing file is an answer and no error.

export async function lstatIfThere(connection: Connection, path: string): Promise<Attributes | undefined> {
  try {
    return await connection.lstat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** @returns whether it was there */
export async function removeIfThere(connection: Connection, path: string): Promise<boolean> {
  try {
    await connection.remove(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
