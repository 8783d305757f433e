import { posix } from 'node:path'
import type { Connection } from './connection.ts'
import { tempName } from './hidden-names.ts'
import { lstatIfThere, removeIfThere } from './if-there.ts'
import { RequestFailure } from './sftp-errors.ts'
import { newMark } from './version.ts'

/** What a server was seen to do. Names of extensions are no proof: some servers offer what they do not keep. */
export interface ServerFeatures {
  /** An access time in the future outlasts reading, so it can tell versions apart. */
  readonly keepsMarks: boolean
  /** A hard link fails when the name exists. */
  readonly exclusiveLink: boolean
  /** How a file gets the name of another in one step; undefined when that cannot be. */
  readonly replace: 'replace' | 'rename' | undefined
}

/** Why conditional puts are not possible, in a sentence; undefined when they are. */
export function lackForConditions({
  keepsMarks,
  exclusiveLink,
  replace,
}: ServerFeatures): string | undefined {
  if (!exclusiveLink) return 'It has no hard links that fail when the name exists (hardlink@openssh.com).'
  if (replace !== 'replace') return 'It cannot replace a file in one step (posix-rename@openssh.com).'
  if (keepsMarks) return undefined
  return 'Its file system does not keep access times, which tell versions apart: mount it with relatime or noatime.'
}

/** What is presumed where nothing can be written: conditional puts need proof, all else fails with the server's own words. */
const UNPROVEN: ServerFeatures = { keepsMarks: false, exclusiveLink: false, replace: 'replace' }

/** Tries in a folder, with hidden files of one byte that are removed again. */
export async function probeServer(connection: Connection, folder: string): Promise<ServerFeatures> {
  const [a, b, c] = [0, 1, 2].map(() => posix.join(folder, tempName())) as [string, string, string]
  const mark = newMark()
  try {
    if (!(await accepted(writeByte(connection, a, 1, mark)))) return UNPROVEN
    const keepsMarks = await accepted(readByte(connection, a))
    const marked = (await connection.lstat(a)).atime === mark
    const linked = await accepted(connection.link(a, c))
    const exclusiveLink = linked && !(await accepted(connection.link(a, c)))
    if (!linked) await writeByte(connection, c, 1, mark)
    await writeByte(connection, b, 2, mark)
    let replace: ServerFeatures['replace']
    for (const way of ['replace', 'rename'] as const) {
      if (replace === undefined && (await accepted(connection[way](b, c)))) {
        if ((await readByte(connection, c)) === 2) replace = way
      }
    }
    return { keepsMarks: keepsMarks && marked, exclusiveLink, replace }
  } finally {
    if (connection.isAlive) await Promise.all([a, b, c].map((path) => removeIfThere(connection, path)))
  }
}

/** The nearest folder that exists: a root that is made later will be on the same file system. */
export async function nearestFolder(connection: Connection, path: string): Promise<string> {
  const parent = posix.dirname(path)
  return parent === path || (await lstatIfThere(connection, path)) !== undefined
    ? path
    : nearestFolder(connection, parent)
}

async function writeByte(connection: Connection, path: string, byte: number, mark: number): Promise<void> {
  const handle = await connection.create(path)
  await connection.write(handle, Uint8Array.of(byte), 0)
  await connection.setTimes(handle, mark, Math.floor(Date.now() / 1000))
  await connection.close(handle)
}

async function readByte(connection: Connection, path: string): Promise<number | undefined> {
  const handle = await connection.open(path)
  const target = Buffer.alloc(1)
  const size = await connection.read(handle, target, 0)
  await connection.close(handle)
  return size === 1 ? target[0] : undefined
}

async function accepted(request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    return true
  } catch (error) {
    if (error instanceof RequestFailure) return false
    throw error
  }
}
