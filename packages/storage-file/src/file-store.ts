import type { BigIntStats } from 'node:fs'
import { link, rename, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  type AbortOptions,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  checkKey,
  checkListKeys,
  checkRange,
  type GetOptions,
  isStorageError,
  type ListOptions,
  type Precondition,
  type PutOptions,
  withPathLock,
} from '@sqlstream/storage'
import { Folders, syncFolder } from './folders.ts'
import { tempName } from './hidden-names.ts'
import { removeIfThere, statIfThere } from './if-there.ts'
import { isOnLocalDisk } from './local-disk.ts'
import { readFile } from './read-file.ts'
import { replaceVersion } from './replace-version.ts'
import { Root } from './root.ts'
import { type SweepOptions, type SweepResult, sweepFolder } from './sweep.ts'
import { type CallContext, DRIVER, failure, systemCode, translateError } from './system-errors.ts'
import { fileETag, fileInfo } from './version.ts'
import { walkKeys } from './walk.ts'
import { BodyFailure, writeFile } from './write-file.ts'

/** Files looked at together while listing. */
const STAT_BATCH = 64
/** A folder can be removed by a delete between its making and its first use; this often in a row it is not. */
const FOLDER_ATTEMPTS = 10

export interface FileStoreOptions {
  /**
   * Make the root folder with the first put; until then the store is empty. With false, a missing root
   * (a disk that is not mounted) is 'not-found' for every call. Default: true. In either case one that was there and is another folder
   * now, or none, is 'unavailable' for every call that misses something, and for every put into a new folder.
   */
  readonly createRoot?: boolean | undefined
}

/** Objects as files below a folder. Constructing it does no I/O. */
export class FileStore implements BlobStore {
  readonly driver: string = DRIVER
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  /** Absolute path of the folder. */
  readonly root: string
  readonly #folders: Folders
  readonly #root: Root
  #local: boolean | undefined

  constructor(root: string, options: FileStoreOptions = {}) {
    if (root === '' || root.includes('\0')) throw new TypeError('root is not a path')
    this.root = resolve(root)
    this.#root = new Root(this.root)
    this.#folders = new Folders(this.root, options.createRoot ?? true)
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    const { prefix = '', startAfter = '', signal } = options
    checkListKeys(options, DRIVER)
    signal?.throwIfAborted()
    try {
      await this.#folders.checkRoot('list')
      await this.#root.assertSame({ operation: 'list' })
      await this.#root.learn()
      await this.#folders.checkInside(dirname(join(this.root, `${prefix}x`)), {
        operation: 'list',
        key: prefix,
      })
      for await (const keys of inBatches(walkKeys(this.root, { prefix, startAfter }))) {
        for (const info of await this.#stat(keys)) {
          signal?.throwIfAborted()
          yield info
        }
      }
    } catch (error) {
      throw translateError(error, { operation: 'list' })
    }
  }

  head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'head', key }, options, async (path, context) => {
      const stats = await statIfThere(path)
      if (stats?.isFile() !== true) throw failure(context, 'not-found', `there is no object ${key}`)
      return fileInfo(key, stats)
    })
  }

  get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    return this.#call({ operation: 'get', key }, options, async (path) => {
      if (options.range !== undefined) checkRange(options.range)
      return readFile(path, key, options, this.#local ?? (await this.#isLocal(dirname(path))))
    })
  }

  put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'put', key }, options, async (path, context) => {
      const { precondition, signal } = options
      // A put that cannot succeed should not cost a written body.
      if (precondition !== undefined) {
        const stats = await statIfThere(path)
        if (stats === undefined) await this.#root.assertSame(context)
        checkPrecondition(precondition, stats, context)
      }
      const [temp, stats] = await this.#writeTemp(dirname(path), body, options)
      try {
        signal?.throwIfAborted()
        await withPathLock(path, () => this.#publish(temp, path, precondition, context))
      } finally {
        await removeIfThere(temp)
      }
      await syncFolder(dirname(path))
      return fileInfo(key, stats)
    })
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    options.signal?.throwIfAborted()
    const touched = new Set<string>()
    try {
      await this.#folders.checkRoot('delete')
      try {
        for (const key of keys) {
          options.signal?.throwIfAborted()
          const path = join(this.root, key)
          await this.#folders.checkInside(dirname(path), { operation: 'delete', key })
          if (await withPathLock(path, () => removeFile(path))) touched.add(dirname(path))
        }
      } finally {
        for (const folder of touched) await this.#folders.tidy(folder)
      }
      if (touched.size === 0 && keys.length > 0) await this.#root.assertSame({ operation: 'delete' })
    } catch (error) {
      throw translateError(error, { operation: 'delete' })
    }
  }

  /** Removes temporary files that crashed writers left behind. Safe beside running ones. */
  async sweep(options: SweepOptions = {}): Promise<SweepResult> {
    try {
      return await sweepFolder(this.root, options)
    } catch (error) {
      throw translateError(error, { operation: 'delete' })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #call<T>(
    context: CallContext & { readonly key: string },
    options: AbortOptions,
    task: (path: string, context: CallContext) => Promise<T>,
  ): Promise<T> {
    checkKey(context.key, { driver: DRIVER, operation: context.operation })
    options.signal?.throwIfAborted()
    try {
      const path = join(this.root, context.key)
      const folder = dirname(path)
      if (!this.#folders.isProven(folder)) {
        await this.#folders.checkRoot(context.operation)
        await this.#folders.checkInside(folder, context)
      }
      const result = await task(path, context)
      await this.#root.learn()
      return result
    } catch (error) {
      if (error instanceof BodyFailure) throw error.error
      const translated = translateError(error, context)
      if (isStorageError(translated, 'not-found')) await this.#root.assertSame(context)
      throw translated
    }
  }

  /** Below the root there are no mounts, so what holds for one file holds for all. */
  async #isLocal(folder: string): Promise<boolean> {
    this.#local = await isOnLocalDisk(folder)
    return this.#local ?? false
  }

  async #stat(keys: readonly string[]): Promise<BlobInfo[]> {
    const stats = await Promise.all(keys.map((key) => statIfThere(join(this.root, key))))
    // One may have been deleted since its name was read.
    return keys.flatMap((key, i) => (stats[i]?.isFile() === true ? [fileInfo(key, stats[i])] : []))
  }

  async #writeTemp(folder: string, body: BlobBody, options: PutOptions): Promise<[string, BigIntStats]> {
    for (let attempt = 1; ; attempt++) {
      const temp = join(folder, tempName())
      try {
        if (!this.#folders.isDurable(folder)) await this.#root.assertSame({ operation: 'put' })
        await this.#folders.ensure(folder)
        return [temp, await writeFile(temp, body, options)]
      } catch (error) {
        await removeIfThere(temp)
        if (systemCode(error) === 'ENOENT' && attempt < FOLDER_ATTEMPTS) {
          await this.#root.assertSame({ operation: 'put' })
          this.#folders.forget()
          continue
        }
        // The folder may have been made for this put alone. The error says more than one of tidying up.
        await this.#folders.tidy(folder).catch(() => {})
        throw error
      }
    }
  }

  async #publish(
    temp: string,
    path: string,
    precondition: Precondition | undefined,
    context: CallContext,
  ): Promise<void> {
    switch (precondition?.kind) {
      case undefined:
        await clearEmptyFolder(path)
        return rename(temp, path)
      case 'absent':
        return linkNew(temp, path, context)
      case 'match':
        if (!(await replaceVersion(temp, path, precondition.etag))) throw mismatch(precondition, context)
    }
  }
}

function checkPrecondition(
  precondition: Precondition,
  stats: BigIntStats | undefined,
  context: CallContext,
): void {
  const current = stats?.isFile() === true ? fileETag(stats) : undefined
  const expected = precondition.kind === 'match' ? precondition.etag : undefined
  if (current !== expected) throw mismatch(precondition, context)
}

function mismatch(precondition: Precondition, context: CallContext): Error {
  const message =
    precondition.kind === 'absent'
      ? `${context.key} exists`
      : `${context.key} is not version ${precondition.etag}`
  return failure(context, 'precondition-failed', message)
}

/** A hard link fails when the name exists, which a rename does not. */
async function linkNew(temp: string, path: string, context: CallContext): Promise<void> {
  try {
    await link(temp, path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const [ours, theirs] = [await statIfThere(temp), await statIfThere(path)]
    if (theirs?.isDirectory() === true) {
      // See `clearEmptyFolder`.
      await rmdir(path)
      return linkNew(temp, path, context)
    }
    // A network file system repeats a link whose answer was lost, and then finds its own work.
    if (ours === undefined || theirs === undefined || ours.ino !== theirs.ino) {
      throw mismatch({ kind: 'absent' }, context)
    }
  }
}

/** In an object store a folder vanishes with its last object; one that a crash left must not stand in the way. */
async function clearEmptyFolder(path: string): Promise<void> {
  const stats = await statIfThere(path)
  if (stats?.isDirectory() === true) await rmdir(path)
}

/** Leaves alone what is no object. @returns whether there was one */
async function removeFile(path: string): Promise<boolean> {
  return (await statIfThere(path))?.isFile() === true && removeIfThere(path)
}

async function* inBatches(keys: AsyncIterable<string>): AsyncGenerator<string[], void> {
  let batch: string[] = []
  for await (const key of keys) {
    batch.push(key)
    if (batch.length < STAT_BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}
