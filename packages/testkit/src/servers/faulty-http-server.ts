import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpFault, HttpFaultPlan, type HttpFaultRule } from './http-faults.ts'

/** A request, before its body was read. */
export interface HttpRequestHead {
  readonly method: string
  /** As sent: path and query, still encoded. */
  readonly target: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
}

/** A whole request. */
export interface HttpRequest extends HttpRequestHead {
  readonly body: Buffer
}

/** A whole answer. `content-length` is added where the headers have none. */
export interface HttpReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** A service: a fake in memory, which carries out each request as one step, as under one lock, or a proxy of a real one. */
export interface HttpService {
  /** The service's name of the operation: for fault rules and counts. */
  nameOf(request: HttpRequestHead): string
  /** @param stale answer from the state before the last change, if that means anything for this request */
  handle(request: HttpRequest, stale: boolean): HttpReply | Promise<HttpReply>
  /** How the service words an error. */
  refuse(request: HttpRequestHead, status: number, code: string | undefined): HttpReply
}

/** What came and went, of one operation or of all. */
export interface HttpTraffic {
  readonly requests: number
  /** Of bodies. */
  readonly bytesIn: number
  readonly bytesOut: number
}

/** How a server answers. */
export interface HttpServerOptions {
  /** Milliseconds that every answer comes later, as from a service that is far away. Default 0. */
  readonly latencyMs?: number
}

/** Serves a service on 127.0.0.1, under a plan of faults. */
export class FaultyHttpServer implements AsyncDisposable {
  readonly #service: HttpService
  readonly #server: Server
  readonly #traffic = new Map<string, { requests: number; bytesIn: number; bytesOut: number }>()
  readonly #latencyMs: number
  #plan = new HttpFaultPlan()

  private constructor(service: HttpService, { latencyMs = 0 }: HttpServerOptions) {
    this.#service = service
    this.#latencyMs = latencyMs
    this.#server = createServer((request, response) => {
      // A client that went away is no concern of the service.
      this.#serve(request, response).catch(() => response.destroy())
    })
    // Some clients wait for this before they send a body; a fault must come first.
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async start(service: HttpService, options: HttpServerOptions = {}): Promise<FaultyHttpServer> {
    const server = new FaultyHttpServer(service, options)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Sets what goes wrong from now on; nothing by default. Counts of rules and traffic start anew. */
  plan(rules: readonly HttpFaultRule[] = []): HttpFaultPlan {
    this.#traffic.clear()
    this.#plan = new HttpFaultPlan(rules)
    return this.#plan
  }

  /** Since the plan was set. @param name an operation; default: all together */
  traffic(name?: string): HttpTraffic {
    const sum = { requests: 0, bytesIn: 0, bytesOut: 0 }
    for (const [each, { requests, bytesIn, bytesOut }] of this.#traffic) {
      if (name !== undefined && name !== each) continue
      sum.requests += requests
      sum.bytesIn += bytesIn
      sum.bytesOut += bytesOut
    }
    return sum
  }

  /** Connections that are open at the moment. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    })
  }

  /** Ends all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '/'
    const head: HttpRequestHead = {
      method: request.method ?? 'GET',
      target,
      url: new URL(target, 'http://service'),
      headers: request.headers,
    }
    const name = this.#service.nameOf(head)
    const traffic = this.#traffic.get(name) ?? { requests: 0, bytesIn: 0, bytesOut: 0 }
    this.#traffic.set(name, traffic)
    traffic.requests += 1
    const fault = this.#plan.next(name)
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'drop') {
      request.socket.destroy()
      return
    }
    if (request.headers.expect !== undefined) response.writeContinue()
    const body = await bodyOf(request)
    traffic.bytesIn += body.length
    if (this.#latencyMs > 0) await sleep(this.#latencyMs)
    const reply = await this.#reply({ ...head, body }, fault)
    if (reply === undefined) return
    if (reply === 'drop') {
      request.socket.destroy()
      return
    }
    const bytes = Buffer.from(reply.body ?? '')
    const sent = head.method === 'HEAD' ? bytes.subarray(0, 0) : bytes
    traffic.bytesOut += sent.length
    await send(response, { ...reply, body: sent }, fault, head.method === 'HEAD')
  }

  async #reply(request: HttpRequest, fault: HttpFault | undefined): Promise<HttpReply | 'drop' | undefined> {
    const refusal = (status: number, code: string | undefined) => this.#service.refuse(request, status, code)
    if (fault?.kind === 'refuse') return refusal(fault.status, fault.code)
    if (fault?.kind === 'twice') await this.#service.handle(request, false)
    const reply = await this.#service.handle(request, fault?.kind === 'stale')
    if (fault?.kind === 'refuse-after') return refusal(fault.status, fault.code)
    if (fault?.kind === 'drop-answer') return 'drop'
    return fault?.kind === 'hang-answer' ? undefined : reply
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function send(
  response: ServerResponse,
  { status, headers = {}, body }: HttpReply & { readonly body: Buffer },
  fault: HttpFault | undefined,
  isHead: boolean,
): Promise<void> {
  const isShort = fault?.kind === 'short'
  const bytes = isShort ? body.subarray(0, fault.after) : body
  const length = isHead || status === 204 || status === 304 ? {} : { 'content-length': String(bytes.length) }
  response.writeHead(status, { ...length, ...headers, ...(isShort ? length : {}) })
  if (fault?.kind === 'cut' || fault?.kind === 'hang-body') {
    response.flushHeaders()
    await new Promise<void>((resolve) => {
      response.write(bytes.subarray(0, fault.after), () => resolve())
    })
    if (fault.kind === 'cut') response.destroy()
    return
  }
  if (fault?.kind === 'slow') {
    response.flushHeaders()
    for (let at = 0; at < bytes.length && !response.destroyed; at += fault.bytes) {
      await sleep(fault.everyMs)
      response.write(bytes.subarray(at, at + fault.bytes))
    }
    response.end()
    return
  }
  response.end(bytes)
}
