import type { NatsConnection } from '@nats-io/transport-node'
import {
  type AbortOptions,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  checkKey,
  checkRange,
  type GetOptions,
  isStorageError,
  type ListOptions,
  type PutOptions,
  resolveRange,
} from '@sqlstream/storage'
import type { Bucket, RequestContext } from './bucket.ts'
import { deleteObject } from './delete-object.ts'
import { listObjects } from './list-objects.ts'
import { DRIVER, failure } from './nats-errors.ts'
import { putObject } from './put-object.ts'
import { readVersion } from './read-object.ts'
import { infoOf, isThere, newestVersion, type Version } from './version.ts'

/** Deletes on their way at once. */
const PARALLEL_DELETES = 16
/** How often an object may be replaced between its meta message and its first chunk. */
const MAX_RACES = 16

/** Objects of a JetStream object store. Owns the connection. */
export class NATSStore implements BlobStore {
  readonly driver: string = DRIVER
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  readonly #connection: NatsConnection
  readonly #bucket: Bucket

  constructor(connection: NatsConnection, bucket: Bucket) {
    this.#connection = connection
    this.#bucket = bucket
  }

  list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    return listObjects(this.#bucket, options)
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    return infoOf(await this.#version({ operation: 'head', key, ...options }))
  }

  async get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    const { range, signal } = options
    const context = { operation: 'get', key, signal } as const
    if (range !== undefined) checkRange(range)
    for (let n = 1; ; n++) {
      const version = await this.#version(context)
      const { size } = version.meta
      const interval = resolveRange(range, size)
      if (interval === undefined) {
        const message = `no byte of ${key} (${size}) is in the range`
        throw failure({ operation: 'get', key }, 'range-not-satisfiable', message)
      }
      try {
        return await readVersion(this.#bucket, context, version, interval)
      } catch (error) {
        if (!isStorageError(error, 'precondition-failed') || n === MAX_RACES) throw error
      }
    }
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    checkKey(key, { driver: DRIVER, operation: 'put' })
    options.signal?.throwIfAborted()
    return putObject(this.#bucket, { operation: 'put', key, signal: options.signal }, body, options)
  }

  async delete(keys: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    signal?.throwIfAborted()
    const queue = new Set(keys).values()
    const workers = Array.from({ length: Math.min(keys.length, PARALLEL_DELETES) }, async () => {
      for (const key of queue) await deleteObject(this.#bucket, { operation: 'delete', key, signal })
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close()
  }

  async #version(context: RequestContext & { readonly key: string }): Promise<Version> {
    const { operation, key, signal } = context
    checkKey(key, { driver: DRIVER, operation })
    signal?.throwIfAborted()
    const version = await newestVersion(this.#bucket, context)
    if (isThere(version)) return version
    throw failure({ operation, key }, 'not-found', `there is no object ${key}`)
  }
}
