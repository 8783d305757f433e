import type {
  AbortOptions,
  BlobBody,
  BlobContent,
  BlobInfo,
  BlobStore,
  Capabilities,
  CopyOptions,
  CopySource,
  ETag,
  GetOptions,
  ListOptions,
  Precondition,
  PutOptions,
} from './blob-store.ts'
import { collectBody, createBody } from './body.ts'
import { StorageError, type StorageErrorCode, type StorageOperationName } from './errors.ts'
import { checkKey, checkListKeys } from './key.ts'
import { checkRange, resolveRange } from './range.ts'

export interface MemoryStoreOptions {
  /** Bytes in a chunk of a body. Default: 65536. Small values find readers that expect one chunk. */
  readonly chunkSize?: number | undefined
  /** The server's clock. Default: the system's. */
  readonly now?: (() => Date) | undefined
}

interface Entry {
  readonly bytes: Uint8Array
  readonly info: BlobInfo
}

/** The reference implementation: every other driver must behave like it. Objects live as long as it does. */
export class MemoryStore implements BlobStore {
  readonly driver: string = 'memory'
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  readonly #entries = new Map<string, Entry>()
  readonly #chunkSize: number
  readonly #now: () => Date
  #versions = 0

  constructor(options: MemoryStoreOptions = {}) {
    this.#chunkSize = options.chunkSize ?? 65536
    this.#now = options.now ?? (() => new Date())
    if (!Number.isSafeInteger(this.#chunkSize) || this.#chunkSize < 1) {
      throw new RangeError(`chunkSize ${this.#chunkSize} is not an integer from 1`)
    }
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    const { prefix = '', startAfter = '', signal } = options
    checkListKeys(options, this.driver)
    signal?.throwIfAborted()
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix) && key > startAfter)
    for (const key of keys.sort()) {
      signal?.throwIfAborted()
      const entry = this.#entries.get(key)
      if (entry !== undefined) yield entry.info
    }
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return this.#entry('head', key, options).info
  }

  async get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    const { range, signal } = options
    if (range !== undefined) checkRange(range)
    const { bytes, info } = this.#entry('get', key, options)
    const interval = resolveRange(range, bytes.length)
    if (interval === undefined) {
      throw this.#error(
        'get',
        key,
        'range-not-satisfiable',
        `no byte of ${key} (${bytes.length}) is in the range`,
      )
    }
    let position = interval.start
    const body = createBody({
      next: async () => {
        signal?.throwIfAborted()
        if (position === interval.end) return undefined
        const start = position
        position = Math.min(interval.end, start + this.#chunkSize)
        return bytes.slice(start, position)
      },
      readInto: async (target) => {
        signal?.throwIfAborted()
        const start = position
        position = Math.min(interval.end, start + this.#chunkSize, start + target.length)
        target.set(bytes.subarray(start, position))
        return position - start
      },
      close: async () => {},
    })
    return { info, body }
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    const { precondition, signal } = options
    checkKey(key, { driver: this.driver, operation: 'put' })
    signal?.throwIfAborted()
    const bytes = await collectBody(body, options)
    signal?.throwIfAborted()
    return this.#store('put', key, bytes, precondition)
  }

  copySource(key: string): CopySource {
    return { store: this, key }
  }

  async copy(source: CopySource, key: string, options: CopyOptions = {}): Promise<BlobInfo | undefined> {
    const { precondition, signal } = options
    const context = { driver: this.driver, operation: 'copy' } as const
    checkKey(source.key, context)
    checkKey(key, context)
    signal?.throwIfAborted()
    if (!(source.store instanceof MemoryStore)) return undefined
    const entry = source.store.#entries.get(source.key)
    if (entry === undefined) throw this.#error('copy', key, 'not-found', `there is no object ${source.key}`)
    // Nothing changes the bytes of an entry, so two may share them.
    return this.#store('copy', key, entry.bytes, precondition)
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: this.driver, operation: 'delete' })
    options.signal?.throwIfAborted()
    for (const key of keys) this.#entries.delete(key)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Nothing is awaited here: that makes the precondition atomic. */
  #store(
    operation: 'put' | 'copy',
    key: string,
    bytes: Uint8Array,
    precondition: Precondition | undefined,
  ): BlobInfo {
    const current = this.#entries.get(key)?.info.etag
    if (precondition?.kind === 'absent' && current !== undefined) {
      throw this.#error(operation, key, 'precondition-failed', `${key} exists`)
    }
    if (precondition?.kind === 'match' && current !== precondition.etag) {
      throw this.#error(operation, key, 'precondition-failed', `${key} is not version ${precondition.etag}`)
    }
    this.#versions += 1
    const info: BlobInfo = {
      key,
      size: bytes.length,
      etag: `v${this.#versions}` as ETag,
      modified: this.#now(),
    }
    this.#entries.set(key, { bytes, info })
    return info
  }

  #entry(operation: 'head' | 'get', key: string, options: AbortOptions): Entry {
    checkKey(key, { driver: this.driver, operation })
    options.signal?.throwIfAborted()
    const entry = this.#entries.get(key)
    if (entry === undefined) throw this.#error(operation, key, 'not-found', `there is no object ${key}`)
    return entry
  }

  #error(
    operation: StorageOperationName,
    key: string,
    code: StorageErrorCode,
    message: string,
  ): StorageError {
    return new StorageError(message, { code, driver: this.driver, operation, key })
  }
}
