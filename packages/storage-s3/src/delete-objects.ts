import { type AbortOptions, isStorageError, retryTransient, StorageError } from '@sqlstream/storage'
import type { S3Connection } from './connection.ts'
import { type CallContext, translateError } from './errors.ts'

const BATCH = 1000
const CONTEXT: CallContext = { operation: 'delete' }

/** Deletes in batches of 1,000, or one by one where a service has no batches: it is asked once. */
export class ObjectDeleter {
  readonly #connection: S3Connection
  #hasBatches: boolean

  constructor(connection: S3Connection) {
    this.#connection = connection
    this.#hasBatches = connection.settings.batchDelete !== 'none'
  }

  /** @throws StorageError for the first key that is left, after all others were tried */
  async delete(keys: readonly string[], options: AbortOptions): Promise<void> {
    const all = [...new Set(keys)]
    const failed: StorageError[] = []
    for (let at = 0; at < all.length; at += BATCH) {
      const batch = all.slice(at, at + BATCH)
      failed.push(
        ...(await (batch.length === 1
          ? this.#deleteEach(batch, options)
          : this.#deleteBatch(batch, options))),
      )
    }
    const [first] = failed
    if (first === undefined) return
    if (all.length === 1) throw first
    const { code, transient, driver, operation, hint, key, cause } = first
    const message = `${failed.length} of ${all.length} keys could not be deleted, the first is ${key}: ${first.message}`
    throw new StorageError(message, { code, transient, driver, operation, hint, key, cause })
  }

  async #deleteBatch(batch: readonly string[], options: AbortOptions): Promise<StorageError[]> {
    if (!this.#hasBatches) return this.#deleteEach(batch, options)
    let left = batch
    let passing: StorageError[] = []
    const failed: StorageError[] = []
    try {
      await retryTransient(
        async () => {
          const errors = await this.#sendBatch(left, options)
          failed.push(...errors.filter(({ transient }) => !transient))
          passing = errors.filter(({ transient }) => transient)
          // Only these keys go into the next try.
          left = passing.map(({ key }) => key!)
          if (passing.length > 0) throw passing[0]
        },
        { ...this.#connection.settings.retry, signal: options.signal },
      )
      return failed
    } catch (error) {
      if (passing.some((each) => each === error)) return [...failed, ...passing]
      if (!isStorageError(error, 'unsupported')) throw error
      this.#hasBatches = false
      return this.#deleteEach(batch, options)
    }
  }

  async #sendBatch(keys: readonly string[], { signal }: AbortOptions): Promise<StorageError[]> {
    const answer = await this.#connection.once({ context: CONTEXT, signal }, (client, sdk, http) => {
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true }
      return client.send(
        new sdk.DeleteObjectsCommand({ Bucket: this.#connection.settings.bucket, Delete }),
        http,
      )
    })
    const asked = new Set(keys)
    return (answer.Errors ?? []).flatMap(({ Key: key = '', Code = 'Unknown', Message = '' }) => {
      if (!asked.has(key) || Code === 'NoSuchKey') return []
      const cause = Object.assign(new Error(Message), { name: Code, $metadata: {} })
      return [translateError(cause, { operation: 'delete', key }) as StorageError]
    })
  }

  /** All at once: the connection bounds how many are on their way. */
  async #deleteEach(keys: readonly string[], { signal }: AbortOptions): Promise<StorageError[]> {
    const outcomes = await Promise.allSettled(keys.map((key) => this.#deleteOne(key, signal)))
    return outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') return []
      if (!isStorageError(outcome.reason)) throw outcome.reason
      return [outcome.reason]
    })
  }

  async #deleteOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    const context: CallContext = { operation: 'delete', key }
    try {
      await this.#connection.retried({ context, signal }, (client, sdk, http) =>
        client.send(
          new sdk.DeleteObjectCommand({ Bucket: this.#connection.settings.bucket, Key: key }),
          http,
        ),
      )
    } catch (error) {
      // Some services complain of a key that is not there; a bucket that is not there is another matter.
      const isGone =
        isStorageError(error, 'not-found') && (error.cause as Error | undefined)?.name === 'NoSuchKey'
      if (!isGone) throw error
    }
  }
}
