import { posix } from 'node:path'
import {
  type AbortOptions,
  abortable,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  checkKey,
  checkListKeys,
  checkRange,
  discardBody,
  type GetOptions,
  type ListOptions,
  type PutOptions,
  walkFolders,
  withPathLock,
} from '@sqlstream/storage'
import { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import { Folders, syncFolder } from './folders.ts'
import { tempName } from './hidden-names.ts'
import { lstatIfThere, removeIfThere } from './if-there.ts'
import { Litter } from './litter.ts'
import { lackForConditions, nearestFolder, probeServer, type ServerFeatures } from './probe.ts'
import { checkConditions, checkPrecondition, type PublishJob, publish } from './publish.ts'
import { missing, readFile } from './read-file.ts'
import { type ListedEntry, readListed } from './read-listed.ts'
import { Session } from './session.ts'
import { type CallContext, DRIVER, failure, isMissing, translateError } from './sftp-errors.ts'
import type { SFTPStoreOptions } from './sftp-options.ts'
import { type SweepOptions, type SweepResult, sweepFolder } from './sweep.ts'
import { type Attributes, fileETag, fileInfo } from './version.ts'
import { writeFile } from './write-file.ts'

/** A folder can be removed by a delete between its making and its first use; this often in a row it is not. */
const FOLDER_ATTEMPTS = 10
/** Keys deleted together. */
const DELETES_AT_ONCE = 16

/** Objects as files below a folder of another machine. */
export class SFTPStore implements BlobStore {
  readonly driver: string = DRIVER
  /** `conditionalPut` is what the server was seen to do when the store was opened. */
  readonly capabilities: Capabilities
  /** Path of the folder on the server. */
  readonly root: string
  readonly #session: Session
  readonly #features: ServerFeatures
  readonly #folders: Folders
  readonly #calls: Calls
  readonly #litter = new Litter()

  private constructor(options: SFTPStoreOptions, session: Session, features: ServerFeatures) {
    this.root = rootOf(options)
    this.#session = session
    this.#features = features
    this.#calls = new Calls(session)
    this.#folders = new Folders(this.root, options.createRoot ?? true)
    this.capabilities = { conditionalPut: lackForConditions(features) === undefined, consistentList: true }
  }

  /**
   * Connects and looks what the server can, with three hidden files of one byte in the nearest folder that exists.
   * @throws StorageError 'permission-denied' when login or host key are refused, 'invalid-config', 'unavailable', 'timeout'
   */
  static async open(options: SFTPStoreOptions, { signal }: AbortOptions = {}): Promise<SFTPStore> {
    signal?.throwIfAborted()
    const context: CallContext = { operation: 'open' }
    const session = new Session(options)
    const root = rootOf(options)
    try {
      const probing = new Calls(session).retryLost(context, { signal }, async (connection) => {
        const folder = await nearestFolder(connection, root)
        const { kind } = await connection.stat(folder)
        if (kind === 'folder') return probeServer(connection, folder)
        throw failure(context, 'invalid-config', `${folder} is no folder on the server`)
      })
      return new SFTPStore(options, session, await abortable(probing, signal))
    } catch (error) {
      session.end()
      throw translateError(error, context)
    }
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    const { prefix = '', startAfter = '', signal } = options
    checkListKeys(options, DRIVER)
    signal?.throwIfAborted()
    try {
      const walk = walkFolders((base) => abortable(this.#readFolder(base), signal), { prefix, startAfter })
      for await (const { key, entry } of walk) {
        signal?.throwIfAborted()
        yield this.#info(key, entry.attributes)
      }
    } catch (error) {
      throw translateError(error, { operation: 'list' })
    }
  }

  head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'head', key }, options, async (path, context) => {
      const attributes = await this.#calls.retryLost(context, options, (connection) =>
        lstatIfThere(connection, path),
      )
      if (attributes?.kind !== 'file') throw missing(context)
      return this.#info(key, attributes)
    })
  }

  get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    return this.#call({ operation: 'get', key }, options, async (path, context) => {
      if (options.range !== undefined) checkRange(options.range)
      const { keepsMarks: marks } = this.#features
      const content = await this.#calls.retryLost(context, options, (connection) =>
        readFile(connection, path, key, { ...options, marks }),
      )
      // Nobody will read it: the caller knows of the abort only.
      if (options.signal?.aborted === true) await discardBody(content.body)
      return content
    })
  }

  put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    return this.#call({ operation: 'put', key }, options, async (path, context) => {
      const { precondition, signal, timestamp } = options
      const { keepsMarks: marks, replace } = this.#features
      if (precondition !== undefined) checkConditions(this.#features, context)
      // A put that cannot succeed should not cost a written body; and see `WriteOptions.before`.
      const before =
        precondition === undefined && marks
          ? undefined
          : await this.#calls.retryLost(context, options, (connection) => lstatIfThere(connection, path))
      if (precondition !== undefined) checkPrecondition(precondition, before, context)
      const [temp, attributes] = await this.#calls.retryLost(context, options, (connection) =>
        this.#writeTemp(connection, path, context, (name) =>
          writeFile(connection, name, body, { signal, timestamp, marks, before }),
        ),
      )
      const ours = fileETag(attributes, marks)
      const job = { temp, ours, target: path, precondition, replace, context, unansweredRename: false }
      await this.#publish(job, options)
      return this.#info(key, attributes)
    })
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    const { signal } = options
    signal?.throwIfAborted()
    const context: CallContext = { operation: 'delete' }
    const work = async (): Promise<void> => {
      const touched = new Set<string>()
      const queue = keys.values()
      const lane = async (): Promise<void> => {
        for (const key of queue) {
          signal?.throwIfAborted()
          const path = posix.join(this.root, key)
          if (await this.#remove(path, { ...context, key }, options)) touched.add(posix.dirname(path))
        }
      }
      try {
        await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane))
      } finally {
        await this.#calls.retryLost(context, {}, async (connection) => {
          for (const folder of touched) await this.#folders.tidy(connection, folder)
          if (touched.size === 0) await this.#folders.checkRoot(connection, context)
        })
      }
    }
    await this.#calls.settle(work(), context, options)
  }

  /** Removes temporary files that crashed writers left behind. Safe beside running ones. */
  async sweep(options: SweepOptions = {}): Promise<SweepResult> {
    const context: CallContext = { operation: 'delete' }
    const sweeping = this.#calls.retryLost(context, options, (connection) =>
      sweepFolder(connection, this.root, options),
    )
    return this.#calls.settle(sweeping, context, options)
  }

  /** Closes the connection, after aborted calls have removed what they had written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.finish()
    this.#session.end()
  }

  async #call<T>(
    context: CallContext & { readonly key: string },
    options: AbortOptions,
    task: (path: string, context: CallContext) => Promise<T>,
  ): Promise<T> {
    checkKey(context.key, { driver: DRIVER, operation: context.operation })
    options.signal?.throwIfAborted()
    return this.#calls.settle(task(posix.join(this.root, context.key), context), context, options)
  }

  #info(key: string, attributes: Attributes): BlobInfo {
    return fileInfo(key, attributes, this.#features.keepsMarks)
  }

  async #readFolder(base: string): Promise<ListedEntry[]> {
    const context: CallContext = { operation: 'list' }
    return this.#calls.retryLost(context, {}, async (connection) => {
      const entries = await readListed(connection, posix.join(this.root, base))
      if (entries === undefined) await this.#folders.checkRoot(connection, context)
      return entries ?? []
    })
  }

  async #writeTemp(
    connection: Connection,
    path: string,
    context: CallContext,
    write: (temp: string) => Promise<Attributes>,
  ): Promise<[temp: string, Attributes]> {
    const folder = posix.dirname(path)
    for (let attempt = 1; ; attempt++) {
      const temp = posix.join(folder, tempName())
      try {
        await this.#folders.ensure(connection, folder, context)
        return [temp, await write(temp)]
      } catch (error) {
        await this.#litter.discard(connection, temp)
        if (!isMissing(error) || attempt === FOLDER_ATTEMPTS) throw error
        this.#folders.forget()
      }
    }
  }

  async #publish(job: PublishJob, options: AbortOptions): Promise<void> {
    const { temp, target, context } = job
    let isLeft = true
    try {
      await this.#withLock(target, () =>
        this.#calls.retryLost(context, options, async (connection) => {
          await this.#litter.clear(connection)
          options.signal?.throwIfAborted()
          isLeft = await publish(connection, job, this.#litter)
        }),
      )
      await this.#calls.retryLost(context, options, (connection) =>
        syncFolder(connection, posix.dirname(target)),
      )
    } finally {
      if (isLeft) await this.#litter.discard(this.#session.current, temp)
      const unanswered = job.replacement?.unanswered
      if (unanswered !== undefined) await this.#litter.discard(this.#session.current, unanswered)
    }
  }

  /** Leaves alone what is no object. @returns whether there was one */
  #remove(path: string, context: CallContext, options: AbortOptions): Promise<boolean> {
    return this.#withLock(path, () =>
      this.#calls.retryLost(context, options, async (connection) => {
        const attributes = await lstatIfThere(connection, path)
        return attributes?.kind === 'file' && removeIfThere(connection, path)
      }),
    )
  }

  #withLock<T>(path: string, task: () => Promise<T>): Promise<T> {
    const { host, port } = this.#session.address
    return withPathLock(`${host}:${port}/${path}`, task)
  }
}

function rootOf({ path = '' }: SFTPStoreOptions): string {
  if (path.includes('\0')) throw new TypeError('path has a NUL')
  return posix.normalize(path === '' ? '.' : path).replace(/(?<=.)\/$/, '')
}
