import {
  type AbortOptions,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  bodyParts,
  type Capabilities,
  type CopyOptions,
  type CopySource,
  checkKey,
  checkListKeys,
  checkRange,
  collectBody,
  type GetOptions,
  type ListOptions,
  type PutOptions,
} from '@sqlstream/storage'
import { S3Connection } from './connection.ts'
import { copyObject } from './copy-object.ts'
import { ObjectDeleter } from './delete-objects.ts'
import { DRIVER, failure } from './errors.ts'
import { getObject } from './get-object.ts'
import { headObject } from './head-object.ts'
import { listObjects } from './list-objects.ts'
import { putParts } from './multipart-upload.ts'
import type { S3StoreOptions } from './options.ts'
import { type Put, putBytes, putStreamed, refuseEarly } from './put-object.ts'
import { type S3Settings, settingsOf } from './settings.ts'

const NO_CONDITIONS =
  'If the service honours If-Match and If-None-Match (sqlstream storage check), set conditionalPut=true.'

/** Objects in a bucket of S3, or of a service that speaks its protocol. */
export class S3Store implements BlobStore {
  readonly driver: string = DRIVER
  readonly capabilities: Capabilities
  readonly #settings: S3Settings
  readonly #connection: S3Connection
  readonly #deleter: ObjectDeleter

  private constructor(connection: S3Connection) {
    this.#settings = connection.settings
    this.#connection = connection
    this.#deleter = new ObjectDeleter(connection)
    this.capabilities = {
      conditionalPut: this.#settings.conditionalPut,
      consistentList: this.#settings.provider.consistentList,
    }
  }

  /**
   * Loads the SDK; sends nothing.
   * @throws TypeError when the endpoint is no URL
   */
  static async open(options: S3StoreOptions, { signal }: AbortOptions = {}): Promise<S3Store> {
    signal?.throwIfAborted()
    const connection = await S3Connection.open(settingsOf(options))
    if (signal?.aborted === true) await connection.close()
    signal?.throwIfAborted()
    return new S3Store(connection)
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    checkListKeys(options, DRIVER)
    options.signal?.throwIfAborted()
    yield* listObjects(this.#connection, options)
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    const context = { operation: 'head', key } as const
    checkKey(key, { driver: DRIVER, operation: 'head' })
    return (await headObject(this.#connection, key, context, options)).info
  }

  async get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    checkKey(key, { driver: DRIVER, operation: 'get' })
    if (options.range !== undefined) checkRange(options.range)
    return getObject(this.#connection, key, options)
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    const context = { operation: 'put', key } as const
    checkKey(key, { driver: DRIVER, operation: 'put' })
    options.signal?.throwIfAborted()
    if (options.precondition !== undefined && !this.#settings.conditionalPut)
      throw failure(context, 'unsupported', `${key} cannot be put with a condition here`, NO_CONDITIONS)
    const put: Put = { connection: this.#connection, key, options, context }
    const size = body instanceof Uint8Array ? body.length : body.size
    const sizeOf = (n: number): number => this.#settings.partSizeOf(n, size)
    if (size !== undefined && size <= sizeOf(1)) {
      return putBytes(put, body instanceof Uint8Array ? body : await collectBody(body, options))
    }
    const needsOneRequest = options.precondition !== undefined && !this.#settings.conditionalComplete
    if (size !== undefined) await refuseEarly(put)
    if (size !== undefined && needsOneRequest) return putStreamed(put, body)
    const spare = new PartMemory()
    const parts = bodyParts(body, {
      sizeOf,
      allocate: (bytes) => spare.take(bytes),
      signal: options.signal,
    })
    try {
      const first = await parts.next()
      const second = first.done === true ? first : await parts.next()
      if (second.done === true) return await putBytes(put, first.value ?? new Uint8Array(0))
      if (size === undefined) await refuseEarly(put)
      if (!needsOneRequest) {
        return await putParts(put, chain([first.value!, second.value], parts), (part) => spare.give(part))
      }
    } finally {
      await parts.return()
    }
    return putStreamed(put, body)
  }

  copySource(key: string): CopySource {
    return { store: this, key }
  }

  async copy(source: CopySource, key: string, options: CopyOptions = {}): Promise<BlobInfo | undefined> {
    const context = { driver: DRIVER, operation: 'copy' } as const
    checkKey(source.key, context)
    checkKey(key, context)
    options.signal?.throwIfAborted()
    if (!(source.store instanceof S3Store)) return undefined
    const from = { connection: source.store.#connection, key: source.key }
    return copyObject(from, { connection: this.#connection, key }, options)
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    options.signal?.throwIfAborted()
    await this.#deleter.delete(keys, options)
  }

  /** Waits for uploads that are being taken back, then closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close()
  }
}

/** The memory of parts that were sent, for the next ones of the same size. */
class PartMemory {
  #spare: Uint8Array<ArrayBuffer>[] = []

  take(size: number): Uint8Array<ArrayBuffer> {
    this.#spare = this.#spare.filter((part) => part.length === size)
    return this.#spare.pop() ?? new Uint8Array(size)
  }

  give(part: Uint8Array): void {
    this.#spare.push(new Uint8Array(part.buffer as ArrayBuffer))
  }
}

async function* chain<T>(first: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield* first
  yield* rest
}
