import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CLIError } from '../cli-error.ts'
import type { NamedReplica } from '../open-replica.ts'
import { type Page, REPLICA_PATH } from './page.ts'
import { answerFailure, answerList, answerObject, type Question } from './replica-answers.ts'

/** This machine alone, whatever its network is. */
const HOST = '127.0.0.1'

/**
 * Nothing but what comes from this server, and no other page may look at it or keep a hold on it. Isolation gives the page shared memory, with
 * which SQLite reads pages in parallel.
 */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' blob:; worker-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/** What is offered, and where. */
export interface InspectServerOptions {
  readonly named: NamedReplica
  readonly page: Page
  /** 0: any that is free. */
  readonly port: number
}

/** Offers the inspector and, read-only, one replica to the browsers of this machine that know the address. */
export class InspectServer implements AsyncDisposable {
  /** Other users of this machine, and other pages, cannot guess it. */
  readonly #root = `/${randomBytes(18).toString('base64url')}/`
  readonly #named: NamedReplica
  readonly #page: Page
  readonly #server: Server
  readonly #closing = new AbortController()

  private constructor({ named, page }: InspectServerOptions) {
    this.#named = named
    this.#page = page
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  /** @throws CLIError `address-in-use`; the system's errors */
  static async open(options: InspectServerOptions): Promise<InspectServer> {
    const server = new InspectServer(options)
    try {
      server.#server.listen(options.port, HOST)
      await once(server.#server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      throw new CLIError(
        'address-in-use',
        `another process listens at ${HOST}:${options.port}`,
        'choose another port, or leave --port out',
      )
    }
    return server
  }

  /** The address of the page. Whoever has it can read the replica as long as the server runs. */
  get url(): string {
    return `http://${this.#host}${this.#root}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  get #host(): string {
    return `${HOST}:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const signal = AbortSignal.any([this.#closing.signal, gone.signal])
    try {
      await this.#route({ request, response, signal })
    } catch (error) {
      answerFailure({ response }, error)
    }
  }

  async #route(question: Question): Promise<void> {
    const { request, response } = question
    const path = request.url?.split('?')[0] ?? ''
    // A name of somebody else's that leads here would make this page one of theirs.
    if (request.headers.host !== this.#host || !path.startsWith(this.#root)) return plain(response, 404)
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405)
    const rest = path.slice(this.#root.length)
    if (rest === `${REPLICA_PATH}list`) return await answerList(this.#named, question)
    const object = `${REPLICA_PATH}object/`
    if (rest.startsWith(object)) return await answerObject(this.#named, rest.slice(object.length), question)
    const file = this.#page.get(rest === '' ? 'index.html' : rest)
    if (!file) return plain(response, 404)
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.bytes.length })
    response.end(request.method === 'HEAD' ? undefined : file.bytes)
  }
}

function plain(response: ServerResponse, status: 404 | 405): void {
  const headers = status === 405 ? { allow: 'GET, HEAD' } : {}
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
  response.end(status === 405 ? 'read only\n' : 'nothing is here\n')
}
