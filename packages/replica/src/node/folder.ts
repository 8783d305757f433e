import { close, fsync, open, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** What is at the place where a restored file shall appear. */
export type Target =
  | { readonly kind: 'absent' | 'folder'; readonly path: string }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }

/** What SQLite may keep beside a database. */
export const SIDECARS: readonly string[] = ['-wal', '-shm', '-journal']

/** Looks at a path; of a symbolic link that leads to a file, the file is the target and the link stays. */
export function describeTarget(path: string): Target {
  const stats = statIfThere(path)
  // A link to a folder that a file shall be created in is followed too, so that the temp file lies on the same disk.
  if (!stats) return { kind: 'absent', path: join(realFolder(dirname(path)), basename(path)) }
  if (stats.isDirectory()) return { kind: 'folder', path }
  return { kind: 'file', path: realpathSync(path), mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid }
}

/** Whether both paths name the same existing file. */
export function isSameFile(a: string, b: string): boolean {
  const [one, two] = [statIfThere(a), statIfThere(b)]
  return one !== undefined && two !== undefined && one.ino === two.ino && one.dev === two.dev
}

/** The status of a path, undefined when nothing is there. */
export function statIfThere(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

/** Makes created, renamed and removed names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const fd = await promisify(open)(folder, 'r')
  try {
    await promisify(fsync)(fd)
  } finally {
    await promisify(close)(fd)
  }
}

function realFolder(folder: string): string {
  return statIfThere(folder) ? realpathSync(folder) : folder
}
