import { createHash } from 'node:crypto'
import type * as SDK from '@aws-sdk/client-s3'
import { abortable, retryTransient, Slots, StorageError, withinTime } from '@sqlstream/storage'
import { type CallContext, DRIVER, regionOf, translateError } from './errors.ts'
import type { S3Settings } from './settings.ts'

const CONNECT_LIMIT_MS = 10_000
/** Slowest upload that is waited for: 64 bytes a millisecond. */
const BYTES_PER_MS = 64
const FALLBACK_REGION = 'us-east-1'

/** One request that is to be sent. */
export interface RequestOptions {
  readonly context: CallContext
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that it may take beyond the limit of every request. */
  readonly extraMs?: number | undefined
}

/** Milliseconds that a body of so many bytes may take. */
export function uploadMs(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_MS)
}

/** How a request is sent: with a command of the SDK. Called again for each try. */
export type Send<Output> = (
  client: SDK.S3Client,
  sdk: typeof SDK,
  options: { readonly abortSignal: AbortSignal },
) => Promise<Output>

/**
 * The client of the SDK, with what it lacks: a time limit on every request, bounded parallelism, and the region found out. It
 * sends everything once; trying again is done here, where it is known whether a request may be repeated.
 */
export class S3Connection {
  readonly settings: S3Settings
  /** Held by each body of a `get` until it is released: it holds a socket. */
  readonly bodies: Slots
  readonly #requests: Slots
  readonly #client: SDK.S3Client
  readonly #sdk: typeof SDK
  readonly #background = new Set<Promise<void>>()
  #region: string

  private constructor(settings: S3Settings, sdk: typeof SDK, region: string) {
    this.settings = settings
    this.bodies = new Slots(settings.parallelism)
    this.#requests = new Slots(settings.parallelism)
    this.#sdk = sdk
    this.#region = region
    this.#client = createClient(settings, sdk, async () => this.#region)
  }

  /** Loads the SDK. Sends nothing. */
  static async open(settings: S3Settings): Promise<S3Connection> {
    const sdk = await import('@aws-sdk/client-s3')
    const region = settings.region ?? settings.defaultRegion ?? (await regionOfChain(settings, sdk))
    return new S3Connection(settings, sdk, region)
  }

  /** Sends a request that may be repeated, until it succeeds or fails for good. */
  retried<Output>(request: RequestOptions, send: Send<Output>): Promise<Output> {
    const { signal } = request
    return retryTransient(() => this.once(request, send), { ...this.settings.retry, signal })
  }

  /** @throws StorageError */
  async once<Output>(request: RequestOptions, send: Send<Output>): Promise<Output> {
    const { context, signal, extraMs = 0 } = request
    const limitMs = this.settings.timeoutMs + extraMs
    return this.#requests.run(
      async () => {
        try {
          return await withinTime(
            { limitMs, signal, fields: { driver: DRIVER, ...context } },
            (abortSignal) => send(this.#client, this.#sdk, { abortSignal }),
          )
        } catch (error) {
          signal?.throwIfAborted()
          throw this.#movedRegion(error, context) ?? translateError(error, context)
        }
      },
      { signal },
    )
  }

  /** Like `once`, for a body whose length says nothing of the time it takes: `send` ends it when nothing moves any more. */
  async streamed<Output>(
    request: RequestOptions,
    send: (...args: [...Parameters<Send<Output>>, abort: (reason: unknown) => void]) => Promise<Output>,
  ): Promise<Output> {
    const { context, signal } = request
    const aborter = new AbortController()
    const onAbort = (): void => aborter.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await this.#requests.run(
        () =>
          abortable(
            send(this.#client, this.#sdk, { abortSignal: aborter.signal }, (reason) => aborter.abort(reason)),
            aborter.signal,
          ),
        { signal },
      )
    } catch (error) {
      if (aborter.signal.aborted) throw aborter.signal.reason
      throw this.#movedRegion(error, context) ?? translateError(error, context)
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Work that goes on when its call has ended: closing waits for it. It must end in time by itself. */
  inBackground(work: Promise<unknown>): void {
    const done: Promise<void> = work.then(
      () => void this.#background.delete(done),
      () => void this.#background.delete(done),
    )
    this.#background.add(done)
  }

  async close(): Promise<void> {
    await Promise.all(this.#background)
    this.#client.destroy()
  }

  /** Where nobody gave a region, the service tells it with its refusal: the next try goes there. */
  #movedRegion(error: unknown, context: CallContext): StorageError | undefined {
    const region = regionOf(error)
    if (region === undefined || this.settings.region !== undefined || region === this.#region)
      return undefined
    this.#region = region
    const message = `${context.operation}: the bucket is in ${region}`
    return new StorageError(message, { driver: DRIVER, ...context, code: 'unavailable' })
  }
}

/** The region of the environment or the shared files. */
async function regionOfChain({ profile }: S3Settings, sdk: typeof SDK): Promise<string> {
  const client = new sdk.S3Client(profile === undefined ? {} : { profile })
  try {
    return await client.config.region()
  } catch {
    return FALLBACK_REGION
  } finally {
    client.destroy()
  }
}

function createClient(settings: S3Settings, sdk: typeof SDK, region: () => Promise<string>): SDK.S3Client {
  const { endpoint, credentials, profile, provider, parallelism, timeoutMs } = settings
  const checksums = provider.sendsChecksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const agent = { maxSockets: 2 * parallelism }
  const client = new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined
      ? {}
      : { credentials: { ...credentials, sessionToken: credentials.sessionToken! } }),
    ...(profile === undefined ? {} : { profile }),
    forcePathStyle: settings.forcePathStyle,
    maxAttempts: 1,
    requestChecksumCalculation: checksums,
    // LTX files carry checksums of their own; this one costs more than the download.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would use a new connection for each large body.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_LIMIT_MS, timeoutMs),
      httpAgent: agent,
      httpsAgent: { ...agent, rejectUnauthorized: settings.skipVerify !== true },
      logger: SILENT,
    },
    logger: SILENT,
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      Object.assign(headers, provider.headers)
      if (settings.signPayload === false) headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    { step: 'build', name: 'sqlstreamHeaders', priority: 'low' },
  )
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'DeleteObjectsCommand' && settings.batchDelete === 'md5')
          useContentMD5(args.request as { headers: Record<string, string>; body: string | Uint8Array })
        return next(args)
      },
    { step: 'build', name: 'sqlstreamContentMD5', priority: 'low' },
  )
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { headers?: Record<string, string> }
      Object.assign(result.output?.$metadata ?? {}, { date: headers?.['date'] })
      return result
    },
    { step: 'deserialize', name: 'sqlstreamDate', priority: 'high' },
  )
  return client
}

/** The service's clock when it answered; ours where it did not say. Whole seconds, as it keeps times itself. */
export function dateOf({ $metadata }: { readonly $metadata: object }): Date {
  const date = Date.parse(String((Reflect.get($metadata, 'date') as unknown) ?? ''))
  return new Date(Number.isNaN(date) ? Math.floor(Date.now() / 1000) * 1000 : date)
}

/** The SDK sends CRC32 alone, which older services do not know. */
function useContentMD5(request: { headers: Record<string, string>; body: string | Uint8Array }): void {
  for (const name of Object.keys(request.headers)) {
    if (/^x-amz-(?:sdk-)?checksum-/i.test(name)) delete request.headers[name]
  }
  request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64')
}

const nothing = (): void => {}
/** Libraries do not log. */
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }
