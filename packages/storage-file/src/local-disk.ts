import { statfs } from 'node:fs/promises'
import { isMissing } from './system-errors.ts'

/**
 * Types of file systems on disks of this machine, and in its memory, as Linux numbers them: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs,
 * overlay, Bcachefs. Not those behind a network or another process, which may hang.
 */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1, 0x0102_1994, 0x794c_7630, 0xca45_1a4e,
])

/**
 * Whether what lies at a path is on a disk of this machine; undefined if nothing lies there. Then a small file can be read in this thread: to hand each call over to
 * another thread, and back, takes several times what the calls take. False where that is not known.
 */
export async function isOnLocalDisk(path: string): Promise<boolean | undefined> {
  if (process.platform !== 'linux') return false
  try {
    return LOCAL.has((await statfs(path)).type)
  } catch (error) {
    return isMissing(error) ? undefined : false
  }
}

/** Milliseconds for which this thread may be kept from everything else. */
const MOST_MS = 5

let keptMs = 0

/** Does what keeps this thread from everything else for a moment; after several of these the others come first. */
export async function inThisThread<T>(work: () => T): Promise<T> {
  if (keptMs >= MOST_MS) {
    keptMs = 0
    await new Promise(setImmediate)
  }
  const start = performance.now()
  try {
    return work()
  } finally {
    keptMs += performance.now() - start
  }
}
