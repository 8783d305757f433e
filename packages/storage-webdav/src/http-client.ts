import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import {
  type AbortOptions,
  type BlobBody,
  isStorageError,
  readBody,
  Slots,
  withinTime,
} from '@sqlstream/storage'
import { type CallContext, DRIVER, failure } from './webdav-errors.ts'

/** Each may open a connection. A body that is being read takes no part in this. */
const REQUESTS_AT_ONCE = 64

/** One request. */
export interface RequestOptions extends AbortOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: BlobBody | undefined
}

/** Status and headers; the body must be read or destroyed. */
export interface Reply {
  readonly status: number
  readonly message: IncomingMessage
}

/** An error of the caller's body, wrapped so that it is not taken for one of the connection. */
export class BodyFailure {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** Requests to one server: Basic authentication, kept connections, and a limit for every wait. It repeats nothing. */
export class HttpClient {
  readonly #origin: string
  readonly #authorization: string | undefined
  readonly #limitMs: number
  readonly #agent: HttpAgent
  readonly #send: typeof httpRequest
  readonly #slots = new Slots(REQUESTS_AT_ONCE)

  constructor(
    origin: string,
    login: { user?: string | undefined; password?: string | undefined },
    limitMs: number,
  ) {
    this.#origin = origin
    this.#limitMs = limitMs
    const isSecure = origin.startsWith('https:')
    this.#send = isSecure ? httpsRequest : httpRequest
    this.#agent = isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
    if (login.user === undefined && login.password === undefined) return
    const pair = Buffer.from(`${login.user ?? ''}:${login.password ?? ''}`)
    this.#authorization = `Basic ${pair.toString('base64')}`
  }

  /** The whole address of a path, for headers. */
  address(path: string): string {
    return `${this.#origin}${path}`
  }

  /**
   * Sends and waits for the head of the answer.
   * @throws StorageError 'unavailable' or 'timeout' when there is none
   * @throws BodyFailure
   */
  async request(
    context: CallContext,
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<Reply> {
    const { signal } = options
    await this.#slots.enter({ signal })
    try {
      return await this.#answer(context, method, path, options)
    } finally {
      this.#slots.leave()
    }
  }

  async #answer(context: CallContext, method: string, path: string, options: RequestOptions): Promise<Reply> {
    const { body, signal } = options
    const headers: Record<string, string> = { 'accept-encoding': 'identity', ...options.headers }
    if (this.#authorization !== undefined) headers['authorization'] = this.#authorization
    const size = body instanceof Uint8Array ? body.length : body?.size
    if (size !== undefined) headers['content-length'] = String(size)
    const request = this.#send(this.address(path), { method, headers, agent: this.#agent })
    const answered = once(request, 'response').then(([message]) => message as IncomingMessage)
    answered.catch(() => {})
    // Stays: an error that nobody listens to would end the process.
    request.on('error', () => {})
    let isAnswered = false
    answered.then(
      () => {
        isAnswered = true
      },
      () => {},
    )
    try {
      if (body !== undefined) {
        for await (const chunk of guard(readBody(body, { signal }))) {
          // A refusal comes before the end of a large body; the rest is of no use.
          if (isAnswered) break
          // The source may use its buffer again before the socket has sent it.
          if (!request.write(Buffer.from(chunk)) && !isAnswered) {
            await this.#wait(context, signal, Promise.race([once(request, 'drain'), answered]))
          }
        }
      }
      if (!isAnswered) request.end()
      const message = await this.#wait(context, signal, answered)
      if (!request.writableEnded)
        message.once('end', () => request.destroy()).once('close', () => request.destroy())
      return { status: message.statusCode!, message }
    } catch (error) {
      request.destroy()
      throw error instanceof BodyFailure ? error : this.translate(context, error, signal)
    }
  }

  /** Reads the body of an answer to its end and drops it, so that the connection can be used again. */
  async drain(context: CallContext, { message }: Reply, signal?: AbortSignal): Promise<void> {
    for await (const _ of this.chunks(context, message, signal));
  }

  /** The body of an answer as text. */
  async text(context: CallContext, { message }: Reply, signal?: AbortSignal): Promise<string> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.chunks(context, message, signal)) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }

  /** The body of an answer, each wait with the limit. @throws StorageError 'unavailable' when it is cut */
  async *chunks(
    context: CallContext,
    message: IncomingMessage,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    const reading = message[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await this.#wait(context, signal, reading.next())
        if (step.done === true) return
        yield step.value as Uint8Array
      }
    } catch (error) {
      throw this.translate(context, error, signal)
    } finally {
      message.destroy()
    }
  }

  end(): void {
    this.#agent.destroy()
  }

  translate(context: CallContext, error: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted === true) return signal.reason
    if (isStorageError(error)) return error
    const code: unknown = Reflect.get(Object(error), 'code')
    const hint = HINTS.find(([pattern]) => pattern.test(String(code)))?.[1]
    return failure(context, 'unavailable', (error as Error).message, { hint, cause: error })
  }

  #wait<T>(context: CallContext, signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
    return withinTime(
      { limitMs: this.#limitMs, signal, fields: { driver: DRIVER, ...context } },
      () => promise,
    )
  }
}

const HINTS: readonly [pattern: RegExp, hint: string][] = [
  [/^ENOTFOUND$/, 'Check the name of the host.'],
  [/^ECONNREFUSED$/, 'Is the server running, and is the port right?'],
  [/CERT|^UNABLE_TO_/, 'Name the file of your own certificate authority in NODE_EXTRA_CA_CERTS.'],
]

async function* guard(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks
  } catch (error) {
    throw new BodyFailure(error)
  }
}
