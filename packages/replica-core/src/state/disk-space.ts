import { statfsSync, statSync } from 'node:fs'
import type { DiskSpace } from '../plan-disk.ts'

/** A disk, and how full it is. */
export interface Disk extends DiskSpace {
  /** The same for all folders on it. */
  readonly device: number
}

/** The disk that a folder is on; undefined where the system does not tell. */
export function diskOf(folder: string): Disk | undefined {
  try {
    const { bsize, bavail, blocks } = statfsSync(folder)
    // Some network file systems know no sizes.
    if (blocks === 0) return undefined
    return { device: statSync(folder).dev, freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch {
    return undefined
  }
}
