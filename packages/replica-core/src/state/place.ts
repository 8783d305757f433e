import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { wrapFileError } from '../errors.ts'
import type { StateFolder } from './state-folder.ts'

/**
 * The place that a database is replicated from, for leases: a random name kept in the state folder, and the host's. With the
 * host, because a copy of the volume on another machine is another place.
 *
 * @throws PrimaryError `state-folder`, `disk-full`
 */
export function placeOf(folder: StateFolder): string {
  return `${hostname()}/${readOrCreate(folder.place)}`
}

function readOrCreate(path: string): string {
  try {
    const name = readFileSync(path, 'utf8').trim()
    // A torn one names no place.
    if (name.length === 36) return name
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw wrapFileError(error, path)
  }
  const name = randomUUID()
  try {
    writeFileSync(`${path}.tmp`, `${name}\n`)
    renameSync(`${path}.tmp`, path)
  } catch (error) {
    throw wrapFileError(error, path)
  }
  return name
}
