import { posix } from 'node:path'
import type { Connection } from './connection.ts'
import { lstatIfThere } from './if-there.ts'
import { type CallContext, failure, isMissing, RequestFailure, STATUS } from './sftp-errors.ts'
import { syncHandle } from './write-file.ts'

/** Folders remembered; when there are more, all are forgotten and proven again. */
const MAX_KNOWN = 10_000

/**
 * Makes and removes the folders of a store. An object is durable only when each folder above it is, so
 * the first put into a folder also syncs its ancestors: another process may have made them just before.
 */
export class Folders {
  readonly #root: string
  readonly #createRoot: boolean
  readonly #durable = new Set<string>()

  constructor(root: string, createRoot: boolean) {
    this.#root = root
    this.#createRoot = createRoot
  }

  /** After this the folder exists and a crash of the server cannot take it away, as far as it has fsync. */
  async ensure(connection: Connection, folder: string, context: CallContext): Promise<void> {
    if (this.#durable.has(folder)) return
    if (folder === this.#root) await this.#ensureRoot(connection, context)
    else {
      await this.ensure(connection, posix.dirname(folder), context)
      await makeFolder(connection, folder, context)
      await syncFolder(connection, posix.dirname(folder))
    }
    if (this.#durable.size >= MAX_KNOWN) this.#durable.clear()
    this.#durable.add(folder)
  }

  /** Drops what is remembered, because a folder has vanished under us. */
  forget(): void {
    this.#durable.clear()
  }

  /** Makes removals in a folder durable, and removes it and its ancestors below the root when empty. */
  async tidy(connection: Connection, folder: string): Promise<void> {
    let path = folder
    while (path !== this.#root && (await removeIfEmpty(connection, path))) {
      this.#durable.delete(path)
      path = posix.dirname(path)
    }
    await syncFolder(connection, path)
  }

  /** Where the root must not be made: rejects with 'not-found' when it is missing. */
  async checkRoot(connection: Connection, context: CallContext): Promise<void> {
    if (this.#createRoot) return
    try {
      await connection.stat(this.#root)
    } catch (error) {
      if (!isMissing(error)) throw error
      const hint = 'Create the folder, mount the disk of the server, or correct the path.'
      throw failure(context, 'not-found', `folder ${this.#root} does not exist on the server`, hint)
    }
  }

  async #ensureRoot(connection: Connection, context: CallContext): Promise<void> {
    await this.checkRoot(connection, context)
    if (this.#createRoot) await makeFolders(connection, this.#root, context)
  }
}

/** Makes a folder and those above it; each may be a symbolic link. */
async function makeFolders(connection: Connection, path: string, context: CallContext): Promise<void> {
  try {
    const { kind } = await connection.stat(path)
    if (kind !== 'folder') throw failure(context, 'invalid-config', `${path} is no folder on the server`)
    return
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const parent = posix.dirname(path)
  if (parent !== path) await makeFolders(connection, parent, context)
  await makeFolder(connection, path, context)
  await syncFolder(connection, parent)
}

async function makeFolder(connection: Connection, path: string, context: CallContext): Promise<void> {
  try {
    await connection.makeFolder(path)
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error
    // The protocol does not say that it exists.
    switch ((await lstatIfThere(connection, path))?.kind) {
      case 'folder':
        return
      case 'file':
        throw failure(context, 'invalid-key', `${path} is a file`, FOLDER_IN_THE_WAY)
      case 'other': {
        const hint = 'Give the other place a store of its own.'
        throw failure(context, 'permission-denied', `${path} is a symbolic link, which is not followed`, hint)
      }
      case undefined:
        throw error
    }
  }
}

export const FOLDER_IN_THE_WAY = 'One key is a folder of another key; a file system cannot hold both.'

/** Makes names in a folder durable, where the server can. A folder that is gone needs nothing. */
export async function syncFolder(connection: Connection, path: string): Promise<void> {
  let handle: Buffer
  try {
    handle = await connection.open(path)
  } catch (error) {
    // Missing, or a server that opens no folders.
    if (error instanceof RequestFailure) return
    throw error
  }
  await Promise.all([
    syncHandle(connection, handle).catch((error: unknown) => {
      // EINVAL of a file system that has nothing to do for a folder.
      if (!(error instanceof RequestFailure) || error.status !== STATUS.badMessage) throw error
    }),
    connection.close(handle),
  ])
}

async function removeIfEmpty(connection: Connection, path: string): Promise<boolean> {
  try {
    await connection.removeFolder(path)
    return true
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error
    // Also when we may not: an empty folder left behind does no harm.
    return isMissing(error)
  }
}
