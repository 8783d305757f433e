import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob'
import {
  type AbortOptions,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  type CopyOptions,
  type CopySource,
  checkKey,
  checkRange,
  type GetOptions,
  isStorageError,
  type ListOptions,
  type Precondition,
  type PutOptions,
  resolveRange,
  StorageError,
} from '@sqlstream/storage'
import { copyBlob } from './copy-blob.ts'
import { download } from './download.ts'
import { infoOf } from './info.ts'
import { listBlobs } from './list.ts'
import type { RequestContext, Requests } from './requests.ts'
import { DRIVER, isBlobMissing, serviceCode } from './service-errors.ts'
import { upload } from './upload.ts'

/** Deletes on their way at once. */
const PARALLEL_DELETES = 16
/** How often in a row an object may be replaced between its size and its last bytes. */
const SUFFIX_ATTEMPTS = 8

/** Objects as block blobs of a container. Constructing it does no I/O. */
export class AzureStore implements BlobStore {
  readonly driver: string = DRIVER
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  readonly #container: ContainerClient
  readonly #requests: Requests

  /** @param container a client that retries nothing itself */
  constructor(container: ContainerClient, requests: Requests) {
    this.#container = container
    this.#requests = requests
  }

  list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    return listBlobs(this.#container, this.#requests, options)
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    const blob = this.#blob('head', key, options)
    return this.#head(blob, { operation: 'head', key, ...options })
  }

  async get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    const { range, signal } = options
    const blob = this.#blob('get', key, options)
    const context = { operation: 'get', key, signal } as const
    if (range !== undefined) checkRange(range)
    if (range?.suffix === undefined) return download(blob, this.#requests, context, { range })
    return this.#getSuffix(blob, context, range.suffix)
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    const { precondition, signal } = options
    const blob = this.#blob('put', key, options)
    const context = { operation: 'put', key, signal } as const
    try {
      return await upload({
        blob,
        requests: this.#requests,
        context,
        body,
        options,
        read: () => download(blob, this.#requests, context),
        precheck: async () => {
          if (precondition !== undefined) await this.#check(blob, context, precondition)
        },
      })
    } catch (error) {
      // The service has no version to compare: that is no match, where a missing container is something else.
      if (precondition?.kind === 'match' && isBlobMissing(error)) throw refusal(context, precondition, error)
      throw error
    }
  }

  copySource(key: string): CopySource {
    return { store: this, key }
  }

  async copy(source: CopySource, key: string, options: CopyOptions = {}): Promise<BlobInfo | undefined> {
    const { precondition, signal } = options
    checkKey(source.key, { driver: DRIVER, operation: 'copy' })
    const blob = this.#blob('copy', key, options)
    const { store } = source
    if (!(store instanceof AzureStore)) return undefined
    const context = { operation: 'copy', key, signal } as const
    try {
      return await copyBlob({
        source: store.#container.getBlockBlobClient(source.key),
        sourceKey: source.key,
        blob,
        requests: this.#requests,
        context,
        options,
      })
    } catch (error) {
      if (precondition?.kind === 'match' && serviceCode(error) === 'BlobNotFound')
        throw refusal(context, precondition, error)
      throw error
    }
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    options.signal?.throwIfAborted()
    const queue = new Set(keys).values()
    // One by one: they are free of charge, and a batch needs rights of its own and answers in parts.
    const workers = Array.from({ length: Math.min(keys.length, PARALLEL_DELETES) }, async () => {
      for (const key of queue) await this.#delete(key, options)
    })
    try {
      await Promise.all(workers)
    } catch (error) {
      // The others end after what they have begun.
      queue.return?.()
      await Promise.allSettled(workers)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #blob(operation: 'head' | 'get' | 'put' | 'copy', key: string, { signal }: AbortOptions): BlockBlobClient {
    checkKey(key, { driver: DRIVER, operation })
    signal?.throwIfAborted()
    return this.#container.getBlockBlobClient(key)
  }

  async #head(blob: BlockBlobClient, context: RequestContext & { readonly key: string }): Promise<BlobInfo> {
    const call = (abortSignal: AbortSignal) => blob.getProperties({ abortSignal })
    return infoOf(context, await this.#requests.repeated(context, call))
  }

  /** The service counts from the start only, so its size is asked first; the ETag holds the two answers together. */
  async #getSuffix(
    blob: BlockBlobClient,
    context: RequestContext & { readonly key: string },
    suffix: number,
  ): Promise<BlobContent> {
    for (let n = 1; ; n++) {
      const { size, etag } = await this.#head(blob, context)
      const interval = resolveRange({ suffix }, size)
      if (interval === undefined) {
        const message = `no byte of ${context.key} (${size}) is in the range`
        throw new StorageError(message, { code: 'range-not-satisfiable', driver: DRIVER, ...named(context) })
      }
      const range = { offset: interval.start, length: interval.end - interval.start }
      try {
        return await download(blob, this.#requests, context, { range, etag })
      } catch (error) {
        if (!isStorageError(error, 'precondition-failed')) throw error
        if (n === SUFFIX_ATTEMPTS) {
          const message = `${context.key} was replaced ${n} times while its last bytes were read`
          throw new StorageError(message, {
            code: 'unavailable',
            driver: DRIVER,
            ...named(context),
            cause: error,
          })
        }
      }
    }
  }

  /** A put that cannot succeed should not cost a large upload. */
  async #check(
    blob: BlockBlobClient,
    context: RequestContext & { readonly key: string },
    precondition: Precondition,
  ): Promise<void> {
    const current = await this.#head(blob, context).catch((error: unknown) => {
      if (isBlobMissing(error)) return undefined
      throw error
    })
    const expected = precondition.kind === 'match' ? precondition.etag : undefined
    if (current?.etag !== expected) throw refusal(context, precondition)
  }

  async #delete(key: string, { signal }: AbortOptions): Promise<void> {
    try {
      await this.#requests.repeated({ operation: 'delete', key, signal }, async (abortSignal) => {
        await this.#container.deleteBlob(key, { abortSignal })
      })
    } catch (error) {
      if (!isBlobMissing(error)) throw error
    }
  }
}

function named({ operation, key }: RequestContext): Pick<RequestContext, 'operation' | 'key'> {
  return { operation, key }
}

function refusal(context: RequestContext, precondition: Precondition, cause?: unknown): StorageError {
  const problem = precondition.kind === 'absent' ? 'exists' : `is not version ${precondition.etag}`
  const message = `${context.key} ${problem}`
  return new StorageError(message, { code: 'precondition-failed', driver: DRIVER, ...named(context), cause })
}
