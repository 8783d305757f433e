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
  type GetOptions,
  type ListOptions,
  type PutOptions,
  putDecisively,
  type RetryOptions,
  retryTransient,
} from '@sqlstream/storage'
import { deleteObjects } from './delete-objects.ts'
import { download } from './download.ts'
import { type GCSClient, parseAnswer } from './gcs-client.ts'
import { type CallContext, DRIVER, failure } from './gcs-errors.ts'
import { listObjects } from './list-objects.ts'
import { generationMatch, infoOf, OBJECT_FIELDS, timestampMetadata } from './object-resource.ts'
import { rewriteObject } from './rewrite-object.ts'
import { uploadInParts } from './upload-in-parts.ts'
import { type Upload, uploadOnce } from './upload-once.ts'

/** A multiple of the 256 KiB that the service counts in, and no more than memory should hold three times. */
const PART_SIZE = 8 * 2 ** 20
/** A lost upload of many parts starts again once: each of its parts was already tried often. */
const LARGE_ATTEMPTS = 2

/** The objects of a bucket. Made by `openGCSStore` or `gcsDriver`. */
export class GCSStore implements BlobStore {
  readonly driver: string = DRIVER
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  readonly #client: GCSClient
  readonly #retry: RetryOptions
  readonly #partSize: number

  /** @param partSize bytes of a part, and the most that go in one request; a multiple of 256 KiB */
  constructor(client: GCSClient, retry: RetryOptions, partSize: number = PART_SIZE) {
    this.#client = client
    this.#retry = retry
    this.#partSize = partSize
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    checkListKeys(options, DRIVER)
    options.signal?.throwIfAborted()
    yield* listObjects(this.#client, options, this.#retry)
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    const context = check('head', key, options)
    const { signal } = options
    const request = {
      method: 'GET',
      path: this.#client.objectPath(key),
      query: { fields: OBJECT_FIELDS },
    } as const
    return this.#repeatedly(signal, async () => {
      const answer = await this.#client.call({ ...request, context, signal })
      return infoOf(parseAnswer(answer, context), context)
    })
  }

  async get(key: string, options: GetOptions = {}): Promise<BlobContent> {
    check('get', key, options)
    if (options.range !== undefined) checkRange(options.range)
    return this.#repeatedly(options.signal, () => download(this.#client, key, options))
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    return this.#put(uploadOf(check('put', key, options), options), body)
  }

  copySource(key: string): CopySource {
    return { store: this, key }
  }

  async copy(source: CopySource, key: string, options: CopyOptions = {}): Promise<BlobInfo | undefined> {
    checkKey(source.key, { driver: DRIVER, operation: 'copy' })
    const context = check('copy', key, options)
    if (!(source.store instanceof GCSStore)) return undefined
    const from = { client: source.store.#client, key: source.key }
    return rewriteObject(from, this.#client, uploadOf(context, options), this.#retry)
  }

  async delete(keys: readonly string[], options: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    options.signal?.throwIfAborted()
    await deleteObjects(this.#client, keys, options, this.#retry)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close()
  }

  async #put(upload: Upload, body: BlobBody): Promise<BlobInfo> {
    const { signal } = upload
    const readParts = () => bodyParts(body, { signal, sizeOf: () => this.#partSize, allocate: alternating() })
    const parts = readParts()
    try {
      const first = await parts.next()
      // Only a second part tells that the first was not all.
      const second = first.done === true ? first : await parts.next()
      if (second.done === true) {
        const bytes = first.done === true ? new Uint8Array(0) : first.value
        return await this.#decisively(
          upload,
          bytes,
          () => uploadOnce(this.#client, upload, bytes),
          this.#retry,
        )
      }
      let reading: AsyncGenerator<Uint8Array, void> | undefined = joined([first.value!, second.value], parts)
      return await this.#decisively(
        upload,
        body,
        async () => {
          const current = reading ?? readParts()
          reading = undefined
          try {
            return await uploadInParts(this.#client, upload, current, this.#retry)
          } finally {
            await current.return()
          }
        },
        { ...this.#retry, attempts: LARGE_ATTEMPTS },
      )
    } finally {
      await parts.return()
    }
  }

  /** With a condition a request must not simply be repeated: the second would fail on what the first did. */
  #decisively(
    { key, ifGeneration, signal }: Upload,
    body: BlobBody,
    send: () => Promise<BlobInfo>,
    retry: RetryOptions,
  ): Promise<BlobInfo> {
    const options = { ...retry, signal }
    if (ifGeneration === undefined) return retryTransient(send, options)
    return putDecisively({ body, send, read: () => this.get(key, { signal }) }, options)
  }

  #repeatedly<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    return retryTransient(call, { ...this.#retry, signal })
  }
}

/** @throws StorageError 'precondition-failed' for a version that no object here can have */
function uploadOf(
  context: CallContext & { readonly key: string },
  { precondition, timestamp, signal }: PutOptions,
): Upload {
  const { key } = context
  const ifGeneration = precondition === undefined ? undefined : generationMatch(precondition)
  if (precondition !== undefined && ifGeneration === undefined) {
    throw failure(context, 'precondition-failed', `${key} has another version`)
  }
  const metadata = timestamp === undefined ? undefined : timestampMetadata(timestamp)
  return { key, ifGeneration, metadata, context, signal }
}

function check(
  operation: CallContext['operation'],
  key: string,
  { signal }: AbortOptions,
): CallContext & { readonly key: string } {
  checkKey(key, { driver: DRIVER, operation })
  signal?.throwIfAborted()
  return { operation, key }
}

async function* joined(
  first: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  yield* first
  yield* rest
}

/** Memory for parts of which one is on its way while the next is read: garbage of their size would pile up. */
function alternating(): (size: number) => Uint8Array {
  const buffers: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)]
  let turn: 0 | 1 = 1
  return (size) => {
    turn = turn === 0 ? 1 : 0
    if (buffers[turn].length < size) buffers[turn] = new Uint8Array(size)
    return buffers[turn].subarray(0, size)
  }
}
