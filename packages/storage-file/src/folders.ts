import { mkdir, rmdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { StorageOperationName } from '@sqlstream/storage'
import { syncDescriptor } from './descriptor.ts'
import type { FileCalls } from './file-calls.ts'
import { type CallContext, failure, isMissing, systemCode } from './system-errors.ts'

/** Paths remembered for each purpose; when there are more, all are forgotten and proven again. */
const MAX_KNOWN = 10_000

/**
 * Makes and removes the folders of a store. An object is durable only when each folder above it is, so
 * the first put into a folder also syncs its ancestors: another process may have made them just before.
 */
export class Folders {
  readonly #root: string
  readonly #createRoot: boolean
  readonly #calls: FileCalls
  readonly #durable = new Set<string>()
  readonly #inside = new Set<string>()

  constructor(root: string, createRoot: boolean, calls: FileCalls) {
    this.#root = root
    this.#calls = calls
    this.#createRoot = createRoot
  }

  /** Whether `ensure` has nothing to do, as far as was found before. */
  isDurable(folder: string): boolean {
    return this.#durable.has(folder)
  }

  /** After this the folder exists and a crash cannot take it away. */
  async ensure(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return
    if (folder !== this.#root) {
      await this.ensure(dirname(folder))
      await makeFolder(folder)
      await this.sync(dirname(folder))
    } else if (this.#createRoot) {
      await this.#makeDurable(folder)
    }
    remember(this.#durable, folder)
  }

  /** Whether `checkRoot` and `checkInside` would find nothing wrong, as far as it was found before. */
  isProven(folder: string): boolean {
    return this.#createRoot && (folder === this.#root || this.#inside.has(folder))
  }

  /** Rejects when the folder, or one between it and the root, is a symbolic link: it may lead anywhere. */
  async checkInside(folder: string, context: CallContext): Promise<void> {
    if (folder === this.#root || this.#inside.has(folder)) return
    await this.checkInside(dirname(folder), context)
    const stats = await this.#calls.lstat(folder)
    if (stats?.isSymbolicLink() === true) {
      const hint = 'Mount the other place there, or give it a store of its own.'
      throw failure(context, 'permission-denied', `${folder} is a symbolic link, which is not followed`, hint)
    }
    if (stats !== undefined) remember(this.#inside, folder)
  }

  /** Drops what is remembered, because a folder has vanished under us. */
  forget(): void {
    this.#durable.clear()
    this.#inside.clear()
  }

  /** Makes removals in a folder durable, and removes it and its ancestors below the root when empty. */
  async tidy(folder: string): Promise<void> {
    let path = folder
    while (path.length > this.#root.length && (await removeIfEmpty(path))) {
      this.#durable.delete(path)
      this.#inside.delete(path)
      path = dirname(path)
    }
    await this.sync(path)
  }

  /** Where the root must not be made: rejects with 'not-found' when it is missing. */
  async checkRoot(operation: StorageOperationName): Promise<void> {
    if (this.#createRoot) return
    try {
      await stat(this.#root)
    } catch (error) {
      if (!isMissing(error)) throw error
      const hint = 'Create the folder, mount the disk, or correct the path.'
      throw failure({ operation }, 'not-found', `folder ${this.#root} does not exist`, hint)
    }
  }

  /** Makes names in a folder durable. A folder that is gone needs nothing. */
  async sync(folder: string): Promise<void> {
    // Windows cannot open a folder for this; NTFS journals names by itself.
    if (process.platform === 'win32') return
    try {
      const fd = await this.#calls.openFolder(folder)
      try {
        await syncDescriptor(fd)
      } finally {
        await this.#calls.close(fd)
      }
    } catch (error) {
      if (isMissing(error)) return
      // Some network file systems refuse to sync a folder because they have nothing to do.
      if (systemCode(error) !== 'EINVAL') throw error
    }
  }

  /** Like mkdir with `recursive`, which turns EROFS into ENOENT; and syncs the parent of each folder it makes. */
  async #makeDurable(folder: string): Promise<void> {
    try {
      if (!(await makeFolder(folder))) return
    } catch (error) {
      // The second: a drive that does not exist has no parent to make.
      if (systemCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error
      await this.#makeDurable(dirname(folder))
      await makeFolder(folder)
    }
    await this.sync(dirname(folder))
  }
}

function remember(known: Set<string>, path: string): void {
  if (known.size >= MAX_KNOWN) known.clear()
  known.add(path)
}

/** @returns false when there is something of this name */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

async function removeIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path)
    return true
  } catch (error) {
    // Also when we may not: an empty folder left behind does no harm.
    return isMissing(error)
  }
}
