import fs, { type BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { closeDescriptor, openDescriptor, statDescriptor } from './descriptor.ts'
import { ifMissing, statIfThere } from './if-there.ts'
import { inThisThread, isOnLocalDisk } from './local-disk.ts'

/**
 * Calls of the file system that change nothing. On a disk of this machine they are made in this thread: to hand one over to another
 * thread, and back, takes several times what it takes. Elsewhere they may hang, so they are made in Node's threads; and so is everywhere
 * what changes a file or a name, for that waits while the journal of the file system is written.
 */
export class FileCalls {
  #isLocal: boolean | undefined

  /** Whether files are on a disk of this machine, as far as is known. */
  get isLocal(): boolean {
    return this.#isLocal === true
  }

  /** Looks where a folder is, once. Below a root there are no mounts, so what holds for one folder holds for all. */
  async learn(folder: string): Promise<void> {
    this.#isLocal ??= await isOnLocalDisk(folder)
  }

  /** The state of a path itself, never of what a symbolic link points to; undefined when nothing is there. */
  lstat(path: string): Promise<BigIntStats | undefined> {
    if (!this.isLocal) return statIfThere(path)
    // No error is made for a name that is missing: it would cost more than the look.
    return inThisThread(() => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })).catch(ifMissing)
  }

  /** The same of what a symbolic link points to. */
  stat(path: string): Promise<BigIntStats | undefined> {
    const stats = this.isLocal
      ? inThisThread(() => fs.statSync(path, { bigint: true, throwIfNoEntry: false }))
      : stat(path, { bigint: true })
    return stats.catch(ifMissing)
  }

  fstat(fd: number): Promise<BigIntStats> {
    return this.isLocal ? inThisThread(() => fs.fstatSync(fd, { bigint: true })) : statDescriptor(fd)
  }

  /** Opens a folder. @returns a descriptor, which `close` must be called for */
  openFolder(path: string): Promise<number> {
    return this.isLocal ? inThisThread(() => fs.openSync(path, 'r')) : openDescriptor(path, 'r')
  }

  close(fd: number): Promise<void> {
    return this.isLocal ? inThisThread(() => fs.closeSync(fd)) : closeDescriptor(fd)
  }
}
