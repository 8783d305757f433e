import { Readable } from 'node:stream'
import {
  type BlobBody,
  type BlobInfo,
  isStorageError,
  type Precondition,
  type PutOptions,
  putDecisively,
  readBody,
  StorageError,
} from '@sqlstream/storage'
import { dateOf, type S3Connection, type Send, uploadMs } from './connection.ts'
import { type CallContext, DRIVER, failure } from './errors.ts'
import { headObject } from './head-object.ts'
import { customerKeyFields, etagOf, newObjectFields, PUT_ID } from './object-info.ts'

/** Bytes that one PutObject takes at most, and one request that copies. */
export const MAX_PUT: number = 5 * 2 ** 30

/** What is put, and how. */
export interface Put {
  readonly connection: S3Connection
  readonly key: string
  readonly options: PutOptions
  readonly context: CallContext
}

/** The headers of a condition. ETags go without quotes: radosgw wants that, and AWS takes both. */
export function conditionFields(precondition: Precondition | undefined): {
  IfNoneMatch?: '*'
  IfMatch?: string
} {
  if (precondition === undefined) return {}
  return precondition.kind === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: precondition.etag }
}

/** A refusal for what it is: services say of a version that is gone that the key is not there. */
export function asRefusal(error: unknown, { context, options }: Put): unknown {
  const isGone = options.precondition?.kind === 'match' && isStorageError(error, 'not-found')
  if (!isGone || (error.cause as Error | undefined)?.name === 'NoSuchBucket') return error
  const { message, cause } = error
  return new StorageError(message, { ...context, driver: DRIVER, code: 'precondition-failed', cause })
}

/** Puts bytes with one request. */
export async function putBytes(put: Put, bytes: Uint8Array): Promise<BlobInfo> {
  const { connection, context, options } = put
  const request = { context, signal: options.signal, extraMs: uploadMs(bytes.length) }
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const sendWith =
    (putId: string | undefined): Send<BlobInfo> =>
    async (client, sdk, http) => {
      const answer = await client.send(new sdk.PutObjectCommand(inputOf(put, body, putId)), http)
      return infoOfPut(put, body.length, answer)
    }
  if (options.precondition === undefined) return connection.retried(request, sendWith(undefined))
  return decisively(put, (putId) => connection.once(request, sendWith(putId)))
}

/** Spares a large body that would be refused: one request. The condition is checked again when it counts. */
export async function refuseEarly(put: Put): Promise<void> {
  const { context, key, options } = put
  if (options.precondition === undefined) return
  const expected = options.precondition.kind === 'match' ? options.precondition.etag : undefined
  const current = await headObject(put.connection, key, context, options).catch((error: unknown) => {
    if (isStorageError(error, 'not-found')) return undefined
    throw error
  })
  if (current?.info.etag === expected) return
  const message = expected === undefined ? `${key} exists` : `${key} is not version ${expected}`
  throw failure(context, 'precondition-failed', message)
}

/**
 * Puts a large body with one request and a condition: for services that would not look at the condition of a multipart upload. A
 * body without a size is read twice, for this request must begin with it.
 */
export async function putStreamed(put: Put, body: BlobBody): Promise<BlobInfo> {
  const size = (body instanceof Uint8Array ? body.length : body.size) ?? (await measure(put, body))
  if (size > MAX_PUT) {
    const hint = 'The service ignores conditions of multipart uploads, and a single request takes 5 GiB.'
    throw failure(
      put.context,
      'unsupported',
      `${put.key} (${size} bytes) cannot be put with a condition`,
      hint,
    )
  }
  return decisively(put, (putId) => sendStream(put, body, size, putId))
}

async function measure({ options }: Put, body: BlobBody): Promise<number> {
  let size = 0
  for await (const chunk of readBody(body, options)) size += chunk.length
  return size
}

async function sendStream(put: Put, body: BlobBody, size: number, putId: string): Promise<BlobInfo> {
  const { connection, context, options } = put
  const { timeoutMs } = connection.settings
  let bodyError: { readonly error: unknown } | undefined
  try {
    return await connection.streamed(
      { context, signal: options.signal },
      async (client, sdk, http, abort) => {
        const watch = new StallWatch(timeoutMs, () =>
          abort(failure(context, 'timeout', `nothing moved for ${timeoutMs} ms`)),
        )
        const source = Readable.from(
          watched(body, size, watch, (error) => {
            bodyError = { error }
            abort(error)
          }),
          { objectMode: false },
        )
        try {
          const input = { ...inputOf(put, source, putId), ContentLength: size }
          return infoOfPut(put, size, await client.send(new sdk.PutObjectCommand(input), http))
        } finally {
          watch.stop()
          source.destroy()
        }
      },
    )
  } catch (error) {
    throw bodyError === undefined ? error : bodyError.error
  }

  async function* watched(
    from: BlobBody,
    length: number,
    watch: StallWatch,
    onError: (error: unknown) => void,
  ): AsyncGenerator<Uint8Array, void> {
    const known: BlobBody = from instanceof Uint8Array ? from : { size: length, open: () => from.open() }
    let held: Uint8Array | undefined
    try {
      watch.pause()
      for await (const chunk of readBody(known, options)) {
        // The last one stays until the body has ended well: with all its bytes the request would count.
        const ready = held
        held = chunk.slice()
        if (ready === undefined) continue
        watch.resume()
        yield ready
        watch.pause()
      }
      watch.resume()
      if (held !== undefined) yield held
    } catch (error) {
      onError(error)
      throw error
    }
  }
}

/** Ends a request when its peer has taken nothing for a while; the time that the body itself takes does not count. */
class StallWatch {
  readonly #limitMs: number
  readonly #onStall: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(limitMs: number, onStall: () => void) {
    this.#limitMs = limitMs
    this.#onStall = onStall
    this.resume()
  }

  pause(): void {
    clearTimeout(this.#timer)
  }

  resume(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onStall, this.#limitMs)
  }

  stop(): void {
    this.pause()
  }
}

/** A put with a condition knows by an id of its own whether an object that it finds is the one that it wrote. */
export function decisively(put: Put, send: (putId: string) => Promise<BlobInfo>): Promise<BlobInfo> {
  const putId = crypto.randomUUID()
  return putDecisively(
    {
      async send() {
        try {
          return await send(putId)
        } catch (error) {
          throw asRefusal(error, put)
        }
      },
      find: () => findPut(put, putId),
    },
    { ...put.connection.settings.retry, signal: put.options.signal },
  )
}

/**
 * The object that is there, if this put wrote it. Some servers refuse a large body by closing the connection, so that only
 * what is there tells of the refusal.
 * @throws StorageError 'precondition-failed' when it is another one and the condition cannot hold any more
 */
export async function findPut(put: Put, putId: string): Promise<BlobInfo | undefined> {
  const { info, metadata } = await headObject(put.connection, put.key, put.context, put.options)
  if (metadata[PUT_ID] === putId) return info
  const { precondition } = put.options
  const mayHold =
    precondition === undefined || (precondition.kind === 'match' && precondition.etag === info.etag)
  if (mayHold) return undefined
  throw failure(put.context, 'precondition-failed', `${put.key} is the object of another writer`)
}

function inputOf<Body>(put: Put, body: Body, putId?: string) {
  const { settings } = put.connection
  return {
    Bucket: settings.bucket,
    Key: put.key,
    Body: body,
    ...newObjectFields(settings, { timestamp: put.options.timestamp, putId }),
    ...customerKeyFields(settings.encryption),
    ...conditionFields(put.options.precondition),
  }
}

function infoOfPut(
  { key }: Put,
  size: number,
  answer: { readonly ETag?: string | undefined; readonly $metadata: object },
): BlobInfo {
  return { key, size, etag: etagOf(answer.ETag), modified: dateOf(answer) }
}
