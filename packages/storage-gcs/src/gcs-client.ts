import { Agent as HTTPAgent } from 'node:http'
import { Agent as HTTPSAgent } from 'node:https'
import { text } from 'node:stream/consumers'
import { type CallContext, DRIVER, describe, failure, refusalOf, refused, unanswered } from './gcs-errors.ts'
import type { GCSPlace } from './gcs-options.ts'
import { type IncomingAnswer, sendRequest } from './send-request.ts'
import { whileMoving } from './while-moving.ts'

/** Gives the headers that authenticate a request, with a fresh access token. */
export type Authorize = (url: URL) => Promise<Iterable<readonly [name: string, value: string]>>

/** One request of the JSON API. */
export interface GCSRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** From the endpoint on; may have a query of its own. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Statuses beside 2xx that are an answer and no refusal. */
  readonly accepts?: readonly number[]
  readonly context: CallContext
  readonly signal: AbortSignal | undefined
}

/** An answer whose body was read. */
export interface GCSAnswer extends Pick<IncomingAnswer, 'status' | 'header'> {
  readonly text: string
}

/** Sends requests to one endpoint, each in limited time. It repeats none. */
export class GCSClient {
  readonly bucket: string
  readonly limitMs: number
  readonly #place: GCSPlace
  readonly #authorize: Authorize
  readonly #agent: HTTPAgent

  constructor(place: GCSPlace, authorize: Authorize, limitMs: number) {
    this.#place = place
    this.#authorize = authorize
    this.bucket = place.bucket
    this.limitMs = limitMs
    // An emulator is never behind a proxy.
    this.#agent = place.endpoint.startsWith('https:')
      ? new HTTPSAgent({ keepAlive: true, proxyEnv: process.env })
      : new HTTPAgent({ keepAlive: true })
  }

  /** The path of an object, or of the collection of all. */
  objectPath(key?: string): string {
    const objects = `/storage/v1/b/${this.bucket}/o`
    return key === undefined ? objects : `${objects}/${encodeURIComponent(key)}`
  }

  /** What follows the path of an object that is copied to this bucket. */
  targetPath(key: string): string {
    return `/b/${this.bucket}/o/${encodeURIComponent(key)}`
  }

  /** Origin of the service. */
  get endpoint(): string {
    return this.#place.endpoint
  }

  /** Emulators have rewrites, and ignore their conditions. */
  get isEmulator(): boolean {
    return this.#place.anonymous
  }

  get uploadPath(): string {
    return `/upload/storage/v1/b/${this.bucket}/o`
  }

  /** The path of an address that the service gave. Whatever host it names: credentials stay with the endpoint. */
  pathOf(address: string): string {
    const { endpoint } = this.#place
    if (address.startsWith(`${endpoint}/`)) return address.slice(endpoint.length)
    const { pathname, search } = new URL(address, endpoint)
    return pathname + search
  }

  /** @throws StorageError */
  call(request: GCSRequest): Promise<GCSAnswer> {
    return this.#limited(request, async (signal, moves) => {
      const answer = await this.#send(request, signal, moves)
      const { status, header } = answer
      return { status, header, text: await textOf(answer, request, signal) }
    })
  }

  /** The body must be read to its end, or closed. @throws StorageError */
  open(request: GCSRequest): Promise<IncomingAnswer> {
    return this.#limited(request, (signal, moves) => this.#send(request, signal, moves))
  }

  /** Ends all connections. */
  close(): void {
    this.#agent.destroy()
  }

  #limited<T>(
    { context, signal }: GCSRequest,
    call: (signal: AbortSignal, moves: () => void) => Promise<T>,
  ): Promise<T> {
    const limit = { limitMs: this.limitMs, signal, fields: { driver: DRIVER, ...context } }
    return whileMoving(limit, call)
  }

  async #send(request: GCSRequest, signal: AbortSignal, moves: () => void): Promise<IncomingAnswer> {
    const { method, path, query = {}, headers = {}, body, accepts = [], context } = request
    const url = new URL(this.#place.endpoint + path)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    const { project } = this.#place
    if (project !== undefined) url.searchParams.set('userProject', project)
    let answer: IncomingAnswer
    try {
      const authorization = Object.fromEntries(await this.#authorize(url))
      const all = { 'user-agent': 'sqlstream', ...headers, ...authorization }
      const outgoing = { url, method, headers: all, body, agent: this.#agent, onProgress: moves }
      answer = await sendRequest(outgoing, signal)
    } catch (error) {
      throw unanswered(error, context)
    }
    const { status } = answer
    if ((status >= 200 && status < 300) || accepts.includes(status)) return answer
    throw refused(refusalOf(status, await textOf(answer, request, signal)), context, this.bucket)
  }
}

async function textOf(
  { data, close }: IncomingAnswer,
  { context }: GCSRequest,
  signal: AbortSignal,
): Promise<string> {
  signal.addEventListener('abort', close, { once: true })
  try {
    return await text(data)
  } catch (error) {
    throw unanswered(error, context)
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}

/** The JSON object that an answer holds. @throws StorageError when it holds none */
export function parseAnswer(answer: GCSAnswer, context: CallContext): unknown {
  try {
    const parsed: unknown = JSON.parse(answer.text)
    if (typeof parsed === 'object' && parsed !== null) return parsed
  } catch {
    // See below.
  }
  throw failure(context, 'unknown', `${describe(context)}: the answer is no JSON object`, NO_SERVICE)
}

const NO_SERVICE = 'Something else than Google Cloud Storage answered: look at the endpoint and at proxies.'
