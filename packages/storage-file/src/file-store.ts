import type { BigIntStats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  type AbortOptions,
  abortable,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  type CopyOptions,
  type CopySource,
  checkKey,
  checkListKeys,
  checkRange,
  type GetOptions,
  isStorageError,
  type ListOptions,
  type PutOptions,
  withPathLock,
} from '@sqlstream/storage'
import { cloneFile } from './copy-file.ts'
import { FileCalls } from './file-calls.ts'
import { Folders } from './folders.ts'
import { tempName } from './hidden-names.ts'
import { removeIfThere, statIfThere } from './if-there.ts'
import { inBatches } from './in-batches.ts'
import { checkPrecondition, publishFile } from './publish-file.ts'
import { readFile } from './read-file.ts'
import { Root } from './root.ts'
import { type SweepOptions, type SweepResult, sweepFolder } from './sweep.ts'
import { type CallContext, DRIVER, failure, systemCode, translateError } from './system-errors.ts'
import { fileInfo } from './version.ts'
import { walkKeys } from './walk.ts'
import { BodyFailure, writeFile } from './write-file.ts'

/** A folder can be removed by a delete between its making and its first use; this often in a row it is not. */
const FOLDER_ATTEMPTS = 10

type FileContext = CallContext & { readonly key: string }

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
  readonly #calls = new FileCalls()
  readonly #folders: Folders
  readonly #root: Root
  readonly #background = new Set<Promise<void>>()

  constructor(root: string, options: FileStoreOptions = {}) {
    if (root === '' || root.includes('\0')) throw new TypeError('root is not a path')
    this.root = resolve(root)
    this.#root = new Root(this.root, this.#calls)
    this.#folders = new Folders(this.root, options.createRoot ?? true, this.#calls)
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
      // Folders that are missing look like empty ones.
      await this.#root.assertSame({ operation: 'list' })
    } catch (error) {
      throw translateError(error, { operation: 'list' })
    }
  }

  head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'head', key }, options, async (path, context) => {
      const stats = await this.#calls.lstat(path)
      if (stats?.isFile() !== true) throw failure(context, 'not-found', `there is no object ${key}`)
      return fileInfo(key, stats)
    })
  }

  get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    return this.#call({ operation: 'get', key }, options, async (path) => {
      if (options.range !== undefined) checkRange(options.range)
      await this.#calls.learn(dirname(path))
      return readFile(path, key, options, this.#calls.isLocal)
    })
  }

  put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'put', key }, options, (path, context) =>
      this.#create(path, context, options, (temp) => writeFile(this.#calls, temp, body, options)),
    )
  }

  copySource(key: string): CopySource {
    return { store: this, key }
  }

  async copy(source: CopySource, key: string, options: CopyOptions = {}): Promise<BlobInfo | undefined> {
    checkKey(source.key, { driver: DRIVER, operation: 'copy' })
    const { store } = source
    if (!(store instanceof FileStore)) return undefined
    return await this.#call({ operation: 'copy', key }, options, async (path, context) => {
      const { signal, timestamp } = options
      const from = join(store.root, source.key)
      await store.#folders.checkRoot('copy')
      await store.#folders.checkInside(dirname(from), context)
      return await this.#create(path, context, options, async (temp) => {
        const stats = await statIfThere(from)
        if (stats?.isFile() !== true) {
          await store.#root.assertSame(context)
          throw failure(context, 'not-found', `there is no object ${source.key} to copy`)
        }
        const cloning = cloneFile(from, temp, { mode: Number(stats.mode), timestamp })
        try {
          return await abortable(cloning, signal)
        } catch (error) {
          // Nothing stops the kernel half-way; what it makes then has to go.
          if (signal?.aborted === true) this.#removeWhenDone(cloning, temp)
          throw error
        }
      })
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

  /** Waits until what aborted copies have left is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#background)
  }

  async #call<T>(
    context: FileContext,
    options: AbortOptions,
    task: (path: string, context: FileContext) => Promise<T>,
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
      const result = await task(path, context).catch(async (error: unknown) => {
        if (error instanceof BodyFailure || !isStorageError(translateError(error, context), 'not-found'))
          throw error
        // The disk may have been away for just that moment.
        await this.#root.assertSame(context)
        return task(path, context)
      })
      await this.#root.learn()
      return result
    } catch (error) {
      if (error instanceof BodyFailure) throw error.error
      const translated = translateError(error, context)
      if (isStorageError(translated, 'not-found')) await this.#root.assertSame(context)
      throw translated
    }
  }

  async #stat(keys: readonly string[]): Promise<BlobInfo[]> {
    const stats = await Promise.all(keys.map((key) => statIfThere(join(this.root, key))))
    // One may have been deleted since its name was read.
    return keys.flatMap((key, i) => (stats[i]?.isFile() === true ? [fileInfo(key, stats[i])] : []))
  }

  /** Makes an object of a file that `write` makes: all or nothing. */
  async #create(
    path: string,
    context: FileContext,
    options: PutOptions,
    write: (temp: string) => Promise<BigIntStats>,
  ): Promise<BlobInfo> {
    const { precondition, signal } = options
    // What cannot succeed should not cost a written body.
    if (precondition !== undefined) {
      checkPrecondition(precondition, await this.#root.statInside(path, context), context)
    }
    const [temp, stats] = await this.#writeTemp(dirname(path), context, write)
    try {
      signal?.throwIfAborted()
      await withPathLock(path, () => publishFile(temp, path, precondition, context, this.#root))
    } finally {
      await removeIfThere(temp)
    }
    await this.#folders.sync(dirname(path))
    return fileInfo(context.key, stats)
  }

  async #writeTemp(
    folder: string,
    context: FileContext,
    write: (temp: string) => Promise<BigIntStats>,
  ): Promise<[string, BigIntStats]> {
    for (let attempt = 1; ; attempt++) {
      const temp = join(folder, tempName())
      try {
        if (!this.#folders.isDurable(folder)) await this.#root.assertSame(context)
        await this.#folders.ensure(folder)
        await this.#calls.learn(folder)
        return [temp, await write(temp)]
      } catch (error) {
        await removeIfThere(temp)
        if (systemCode(error) === 'ENOENT' && attempt < FOLDER_ATTEMPTS) {
          await this.#root.assertSame(context)
          this.#folders.forget()
          continue
        }
        // The folder may have been made for this file alone. The error says more than one of tidying up.
        await this.#folders.tidy(folder).catch(() => {})
        throw error
      }
    }
  }

  #removeWhenDone(work: Promise<unknown>, temp: string): void {
    const removed: Promise<void> = work
      .catch(() => {})
      .then(() => removeIfThere(temp))
      .then(() => this.#folders.tidy(dirname(temp)))
      .catch(() => {})
      .finally(() => void this.#background.delete(removed))
    this.#background.add(removed)
  }
}

/** Leaves alone what is no object. @returns whether there was one */
async function removeFile(path: string): Promise<boolean> {
  return (await statIfThere(path))?.isFile() === true && removeIfThere(path)
}
